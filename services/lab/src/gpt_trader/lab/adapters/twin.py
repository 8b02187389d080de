"""The same replay in another interpreter, whose sets, local time and wall clock are different."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson

from gpt_trader.lab.ports import Unreadable
from gpt_trader.lab.settings import other_surroundings


@dataclass(frozen=True, slots=True)
class Twin:
    """A replay that runs beside ours."""

    run_dir: Path
    process: subprocess.Popen[bytes]

    def fingerprints(self) -> Mapping[str, str]:
        """Wait for its end and return what each service's outputs hash to; raises Unreadable if it found no end."""
        output, complaint = self.process.communicate()
        if not output:
            raise Unreadable(self.run_dir, 0, f"the second replay failed: {complaint.decode().strip()}")
        return {one["service"]: one["fingerprint"] for one in orjson.loads(output)["services"]}


@contextmanager
def begun(run_dir: Path) -> Iterator[Twin]:
    """Start the other interpreter; it ends with the block at the latest."""
    command = [sys.executable, "-m", "gpt_trader.lab", "replay", "--run-dir", str(run_dir), "--json"]
    with subprocess.Popen(  # noqa: S603 - our own module in our own interpreter
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=other_surroundings()
    ) as process:
        try:
            yield Twin(run_dir, process)
        finally:
            process.kill()
