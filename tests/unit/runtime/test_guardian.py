"""What is wrong with a configuration file is said at once, by place, key, value and reason."""

from pathlib import Path
from typing import Annotated, Self

import pytest
from pydantic import BaseModel, ConfigDict, Field, model_validator

from gpt_trader.runtime.guardian import Refused, read_model


class Limits(BaseModel):
    model_config = ConfigDict(extra="forbid")

    stale_seconds: Annotated[int, Field(ge=0)]
    collar_bps: Annotated[int, Field(ge=0, le=10000)]
    loss_fraction: Annotated[float, Field(ge=0, le=1)]


class File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    limits: Limits
    name: str

    @model_validator(mode="after")
    def _is_sane(self) -> Self:
        if self.limits.stale_seconds > self.limits.collar_bps:
            raise ValueError("limits.stale_seconds must not exceed limits.collar_bps\nname is odd")
        return self


GOOD = "limits:\n  stale_seconds: 30\n  collar_bps: 200\n  loss_fraction: 0.03\nname: x\n"


def problems(folder: Path, text: str) -> list[str]:
    path = folder / "f.yaml"
    path.write_text(text)
    with pytest.raises(Refused) as refused:
        read_model(path, File)
    return [problem.removeprefix(f"{path}:") for problem in refused.value.problems]


def test_a_good_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_text(GOOD)

    assert read_model(tmp_path / "f.yaml", File).limits.collar_bps == 200


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("collar_bps", "colar_bps", "3:3: limits.colar_bps: unknown key: did you mean collar_bps (basis points"),
        ("stale_seconds", "stale_ms", "2:3: limits.stale_ms: unknown key: did you mean stale_seconds (whole seconds)?"),
        ("name: x", "name: x\nuse_intx: true", "6:1: use_intx: unknown key: INTX perpetuals left Advanced Trade"),
        ("stale_seconds: 30", "stale_seconds: 5m", "2:18: limits.stale_seconds = '5m'"),
        ("stale_seconds: 30", "stale_seconds: 5m", "write 300)"),
        ("collar_bps: 200", "collar_bps: 2%", "(collar_bps is in basis points: write 200)"),
        ("loss_fraction: 0.03", "loss_fraction: 3%", "(loss_fraction is a fraction of one: write 0.03)"),
        ("loss_fraction: 0.03", "loss_fraction: 3", "5 % is written 0.05)"),
        ("  loss_fraction: 0.03\n", "", "1:1: limits.loss_fraction is missing; nothing is assumed in its place"),
        ("stale_seconds: 30", "stale_seconds: 300", "2:18: limits.stale_seconds must not exceed limits.collar_bps"),
        ("stale_seconds: 30", "stale_seconds: 300", "5:7: name is odd"),
        ("name: x", "name: x\nname: y", "6:1: 'name' appears twice"),
        ("name: x", "name: [", "not valid YAML"),
        ("stale_seconds: 30", "stale_seconds: 030", "2:18: 030: write whole numbers with decimal digits"),
        ("stale_seconds: 30", "stale_seconds: 1:30", "2:18: 1:30: write whole numbers with decimal digits"),
        ("stale_seconds: 30", "stale_seconds: 0x1E", "2:18: 0x1E: write whole numbers with decimal digits"),
        ("stale_seconds: 30", f"stale_seconds: {'9' * 5000}", "write whole numbers with decimal digits"),
        ("stale_seconds: 30", "stale_seconds: !!bool perhaps", "not valid YAML"),
        ("name: x", "name: &itself [*itself]", "5:16: an alias: write the value out"),
        ("name: x", f"name: {'[' * 5000}", "not valid YAML"),
    ],
)  # fmt: skip
def test_a_problem_names_its_place_and_what_was_meant(tmp_path: Path, old: str, new: str, told: str) -> None:
    assert old in GOOD

    found = problems(tmp_path, GOOD.replace(old, new))

    assert any(told in problem for problem in found), found


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    found = problems(tmp_path, "limits:\n  stale_ms: 1\n  collar_bps: -1\n")

    assert len(found) == 5


def test_a_file_that_is_not_there_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="No such file"):
        read_model(tmp_path / "nothing.yaml", File)
