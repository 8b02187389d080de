"""I8: only the gate's process can read the exchange key."""

import re
import subprocess
import sys
from pathlib import Path

import orjson
import pytest
from harness import RunningSystem

OUTSIDERS = ("executor", "strategy", "market-data", "learning")


def key_material(demo: RunningSystem) -> list[bytes]:
    """Find the private key as it stands in its file, and in the forms it takes in memory."""
    content = orjson.loads(_key_file(demo).read_bytes())
    lines = [line for line in content["privateKey"].splitlines() if line and "-----" not in line]
    return [line.encode() for line in lines]


def _key_file(demo: RunningSystem) -> Path:
    match = re.search(r"cdp_key_file: (\S+)", (demo.run_dir / "app.yaml").read_text())
    assert match is not None
    return Path(match.group(1))


def memory_of(pid: int) -> bytes:
    """Read all private writable memory of a process."""
    found = []
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            span, rights = line.split()[:2]
            if rights.startswith("rw"):
                start, end = (int(part, 16) for part in span.split("-"))
                memory.seek(start)
                try:
                    found.append(memory.read(end - start))
                except OSError:
                    continue
    return b"".join(found)


@pytest.mark.parametrize("service", OUTSIDERS)
def test_no_other_process_holds_the_exchange_key(demo: RunningSystem, service: str) -> None:
    pid = demo.pid_of(service)
    environment = Path(f"/proc/{pid}/environ").read_bytes()
    command = Path(f"/proc/{pid}/cmdline").read_bytes()
    memory = memory_of(pid)

    for secret in key_material(demo):
        assert secret not in environment
        assert secret not in command
        assert secret not in memory


def test_the_search_finds_the_key_in_a_process_that_has_it(demo: RunningSystem) -> None:
    secrets = key_material(demo)
    holder = [
        sys.executable,
        "-c",
        "import sys; key = sys.stdin.buffer.readline(); print(1, flush=True); input()",
    ]
    with subprocess.Popen(holder, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b" ".join(secrets) + b"\n")
        process.stdin.flush()
        process.stdout.readline()

        memory = memory_of(process.pid)

        process.kill()
    assert all(secret in memory for secret in secrets)


def test_no_file_of_the_run_but_the_key_file_holds_the_key(demo: RunningSystem) -> None:
    secrets = key_material(demo)
    holders = [
        path
        for path in demo.run_dir.rglob("*")
        if path.is_file() and path != _key_file(demo) and any(secret in path.read_bytes() for secret in secrets)
    ]

    assert not holders


def test_only_the_gate_may_open_its_folder(demo: RunningSystem) -> None:
    assert demo.run_dir.joinpath("risk-gate").stat().st_mode & 0o077 == 0
