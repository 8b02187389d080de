"""The reference of the limits: complete, and of one mind with what may change while the gate runs."""

from gate_builders import a_policy, policy_document

from gpt_trader.risk_gate.domain.policy import Policy, Profile
from gpt_trader.risk_gate.domain.policy_changes import Change, changes
from gpt_trader.risk_gate.domain.policy_reference import RESTART, Limit, limits, table
from gpt_trader.risk_gate.settings import shipped_policies

FOUND = limits(shipped_policies())


def limit(key: str) -> Limit:
    return next(one for one in FOUND if one.key == key)


def test_every_key_of_every_shipped_policy_is_there_with_its_meaning_and_its_values() -> None:
    document = policy_document("prod")
    plain = {name: value for name, value in document.items() if not isinstance(value, dict)}
    nested = {f"{name}.{key}" for name, value in document.items() if isinstance(value, dict) for key in value}
    regime = {f"statistics.regime.{key}" for key in document["statistics"]["regime"]}

    assert {one.key for one in FOUND} == (plain.keys() | nested | regime) - {"statistics.regime"}
    assert not [one.key for one in FOUND if len(one.meaning) < 10 or not one.unit]
    assert not [one.key for one in FOUND if list(one.values) != list(Profile)]


def test_unit_side_meaning_and_values_of_a_limit_are_those_of_the_code() -> None:
    found = limit("limits.drawdown_fraction")

    assert (found.unit, found.tighter) == ("fraction", "lower")
    assert found.meaning == "fall from peak equity that blocks entries until a reset"
    assert found.values == dict.fromkeys(Profile, "0.10")
    assert limit("limits.max_order_notional").values["canary"] == "100"
    assert limit("exposure.clusters").tighter == "fraction lower"
    assert limit("sizing.max_quantities").values["prod"] == "none"
    assert limit("window.weekdays").values["canary"] == "1 2 3 4 5"


def test_a_side_is_named_exactly_where_a_change_needs_no_restart() -> None:
    found = {one.key: one.change for one in changes(a_policy("dev"), a_policy("prod"))}
    known = {one.key: one.tighter for one in FOUND if one.key in found}

    assert {key for key, side in known.items() if side == RESTART} == {
        key for key in known if found[key] is Change.RESTART
    }
    assert len(set(known.values())) >= 3


def test_the_table_has_a_line_for_each_limit() -> None:
    lines = table(FOUND).splitlines()

    assert lines[0] == "| key | unit | tighter | demo | dev | canary | prod | spot | meaning |"
    assert len(lines) == len(FOUND) + 2
    assert {line.count("|") for line in lines} == {10}
    assert len(FOUND) > len(Policy.model_fields)
