"""A start that can't be names what is missing."""

import subprocess
import sys
from pathlib import Path

import pytest

from gpt_trader.runtime.signing import Signer, generate_seed


@pytest.mark.parametrize("missing", ["egress-ca-file", "gate-public-key-file"])
def test_a_start_without_a_file_of_the_gate_names_it(tmp_path: Path, missing: str) -> None:
    seed, public, authority = tmp_path / "seed", tmp_path / "gate.pub", tmp_path / "ca.pem"
    seed.write_text(generate_seed())
    seed.chmod(0o600)
    public.write_text(Signer.load(seed, key_id="gate-1").public_key)
    files = {"egress-ca-file": authority, "gate-public-key-file": public} | {missing: tmp_path / "nowhere"}
    options = [f"--{name}={path}" for name, path in files.items()]
    argv = [sys.executable, "-m", "gpt_trader.executor", "--egress=localhost:1", f"--journal-dir={tmp_path}", *options]

    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 2
    assert str(tmp_path / "nowhere") in done.stderr
    assert "No such file or directory" in done.stderr
