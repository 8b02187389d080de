"""The policy file: complete, exact, and refused with the field's name otherwise."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from gate_builders import BTC, POLICIES, D, a_policy, policy_document
from pydantic import ValidationError

from gpt_trader.console.stack.policies import shipped_universe
from gpt_trader.risk_gate.domain.policy import Policy, Profile
from gpt_trader.risk_gate.settings import load_policy


@pytest.mark.parametrize("profile", list(Profile))
def test_every_profile_ships_with_a_policy_of_its_own_name(profile: Profile) -> None:
    policy = load_policy(POLICIES / f"{profile}.yaml")

    assert policy.profile is profile
    assert Policy.model_validate_json(policy.document()) == policy


def test_the_spot_profile_caps_each_product_of_its_universe_and_takes_no_leverage() -> None:
    spot = load_policy(POLICIES / "spot.yaml")

    assert spot.limits.max_leverage == 1
    assert not spot.futures.is_allowed
    assert set(spot.sizing.max_quantities) == set(shipped_universe("spot") or ())


def leaves(section: dict[str, Any], path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    return [
        leaf
        for key, value in section.items()
        for leaf in (leaves(value, (*path, key)) if isinstance(value, dict) and len(path) < 1 else [(*path, key)])
    ]


@pytest.mark.parametrize("path", leaves(policy_document()), ids=".".join)
def test_a_missing_limit_refuses_the_start_and_is_named(
    path: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = policy_document()
    section = document
    for key in path[:-1]:
        section = section[key]
    del section[path[-1]]
    file = tmp_path / "policy.yaml"
    file.write_text(yaml.safe_dump(document))

    with pytest.raises(SystemExit) as ended:
        load_policy(file)

    assert ended.value.code == 2
    assert f"{'.'.join(path)} is missing" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("limits__max_order_notional", "NaN"),
        ("limits__max_order_notional", "Infinity"),
        ("limits__max_order_notional", -1),
        ("limits__max_order_notional", 0),
        ("limits__max_order_notional", "ten"),
        ("exposure__per_asset_fraction", 1.5),
        ("exposure__total_fraction", 0.01),
        ("prices__crossing_bps", 300),
        ("signals__max_age_seconds", -1),
        ("signals__max_age_seconds", True),
        ("signals__max_age_seconds", "30"),
        ("signals__max_age_seconds", 10**14),
        ("marks__stale_pause_seconds", 10**9),
        ("escalation__rejections", 1001),
        ("frequency__trades_per_day", 0),
        ("frequency__trades_per_day", 2.5),
        ("limits__max_odrer_notional", 5),
        ("sizing__tier_fractions", {"T1": 0.05}),
        ("marks__hard_stale_seconds", 1),
    ],
)
def test_a_senseless_or_unknown_value_is_refused(path: str, value: object) -> None:
    with pytest.raises(ValueError, match="validation error"):
        a_policy(**{path: value})


def test_no_product_is_in_two_clusters_whose_order_no_version_tells_apart() -> None:
    one, other = ({"products": [BTC], "fraction": share} for share in ("0.1", "0.2"))

    with pytest.raises(ValidationError, match="names BTC-USD twice"):
        a_policy(exposure__clusters={"one": one, "other": other})


def test_numbers_are_what_was_written_not_their_binary_neighbours() -> None:
    assert a_policy(exposure__per_asset_fraction=0.05).exposure.per_asset_fraction == D("0.05")


def test_equal_limits_have_equal_versions_and_others_have_others() -> None:
    assert a_policy().version() == a_policy(limits__max_order_notional="10000").version()
    assert a_policy().version() != a_policy(limits__max_order_notional=10001).version()


def test_a_file_that_is_no_yaml_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text("a: [")

    with pytest.raises(SystemExit):
        load_policy(file)
