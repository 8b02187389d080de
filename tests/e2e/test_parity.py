"""I10: a recorded demo run, replayed through the same domains, gives the same decision log by hash."""

import subprocess
import sys
from pathlib import Path

from harness import system

LAB = Path(sys.executable).parent / "lab"


def test_a_recorded_run_replays_to_the_same_hash(tmp_path: Path) -> None:
    with system(tmp_path) as running:
        running.until("it trades", lambda: len(running.books()["fills"]) >= 2, seconds=90)
        running.kill_9("strategy")
        running.kill_9("risk-gate")
        before = len(running.trader_json("decisions", "--limit", "10000"))
        running.until(
            "it decides again", lambda: len(running.trader_json("decisions", "--limit", "10000")) > before, seconds=120
        )

    replayed = subprocess.run(
        [str(LAB), "replay", "--run-dir", str(tmp_path / "run"), "--twice"],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip

    assert replayed.returncode == 0, replayed.stdout + replayed.stderr
