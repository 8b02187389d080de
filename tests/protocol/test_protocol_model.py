"""The protocol's model in the short form, with one crash; `make model` checks all of it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import model

README = model.ROOT / "docs" / "protocol" / "README.md"
needs_spin = pytest.mark.skipif(model.missing() is not None, reason=str(model.missing()))


@needs_spin
def test_the_protocol_holds_through_a_crash_at_any_step(tmp_path: Path) -> None:
    found = model.search("model", tmp_path, "-DCRASHES=1")

    assert (found.verdict, found.violated) == ("holds", "")
    assert found.states > 100_000


@needs_spin
@pytest.mark.parametrize(
    "variant", ["WITHOUT_PERMIT_ONCE", "WITHOUT_JOURNAL_BEFORE_SEND", "PROBE_KILLED_BEFORE_SENDING"]
)
def test_without_a_protection_the_protocol_is_refuted(variant: str, tmp_path: Path) -> None:
    found = model.search(variant, tmp_path)

    assert found.is_as_it_must, found
    assert 0 < found.steps < 40


def test_every_variant_is_explained() -> None:
    text = README.read_text()

    assert [variant for variant in model.variants() if f"`{variant}`" not in text] == []


def test_a_machine_without_the_checker_is_told_what_to_install() -> None:
    program = [sys.executable, str(Path(__file__).parent / "model.py")]

    done = subprocess.run(program, env={**os.environ, "PATH": ""}, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (2, "")
    assert "apt-get install spin" in done.stderr
