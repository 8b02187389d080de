"""Scenarios and recordings as files: what is wrong is named with line, field, value and reason."""

from datetime import timedelta
from pathlib import Path

import pytest

from gpt_trader.exchange_sim.adapters.faults import firing_json
from gpt_trader.exchange_sim.adapters.scenarios import read_recording, read_scenario
from gpt_trader.exchange_sim.domain.faults.board import FaultBoard
from gpt_trader.exchange_sim.domain.faults.fault import Fault
from gpt_trader.exchange_sim.domain.faults.kinds import FaultKind
from gpt_trader.exchange_sim.ports import CannotStart
from gpt_trader.exchange_sim.settings import listed_faults

PAGE = Path(__file__).parents[3] / "docs" / "services" / "exchange-sim.md"


def written(folder: Path, text: str) -> Path:
    path = folder / "storm.yaml"
    path.write_text(text)
    return path


def test_the_scenario_of_the_documentation_is_one(tmp_path: Path) -> None:
    example = PAGE.read_text().split("```yaml\n")[1].split("```")[0]

    assert len(read_scenario(written(tmp_path, example)).faults) > 10


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("{kind: http_430}", ["storm.yaml:3:", "faults.0.kind is 'http_430'"]),
        ("{kind: http_429, times: 0}", ["storm.yaml:", "faults.0.times: 0 would never happen"]),
        ("{kind: http_429, value: 9000}", ["storm.yaml:3:", "value: 9000 is not what http_429 takes: 0 to 3600"]),
        ("{kind: http_429, at: 5}", ["storm.yaml:3:", "faults.0.at is 5: Extra inputs are not permitted"]),
        ("{kind: product_flag, name: closed}", ["storm.yaml:3:", "'closed' is none that product_flag knows: auction"]),
        ("{kind: http_429, kind: slow_ms}", ["storm.yaml:3:", "appears twice"]),
    ],
)
def test_a_scenario_that_makes_no_sense_is_refused(tmp_path: Path, fault: str, words: list[str]) -> None:
    path = written(tmp_path, f"seed: 1\nfaults:\n  - {fault}\n")

    with pytest.raises(CannotStart) as refused:
        read_scenario(path)

    assert all(word in str(refused.value) for word in ["--scenario", *words]), refused.value


def test_a_recording_reads_back_and_a_torn_one_names_its_line(tmp_path: Path) -> None:
    board = FaultBoard()
    board.arm([Fault.model_validate({"kind": "slow_ms", "value": 5, "times": 2})], timedelta())
    for _ in range(2):
        board.strike(FaultKind.SLOW_MS, board.occasion("GET /time"), timedelta(seconds=1))
    path = tmp_path / "run.jsonl"
    lines = [firing_json(one) for one in board.fired]

    path.write_bytes(b"\n".join(lines) + b"\n")
    assert read_recording(path) == board.fired
    path.write_bytes(lines[0] + b"\n" + lines[1][:20])
    with pytest.raises(CannotStart, match=r"--repeat .*run.jsonl:2: "):
        read_recording(path)
    with pytest.raises(CannotStart, match="No such file"):
        read_recording(tmp_path / "none.jsonl")


def test_the_list_shows_every_kind_with_an_example() -> None:
    listed = listed_faults()

    assert all(f"{{kind: {kind.value}" in listed for kind in FaultKind)
    assert "value: per cent of the order, 1 to 99, usually 50" in listed
