"""What may be adopted while the gate runs: only what is nowhere looser, and that never approves what was denied."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from gate_builders import BTC, ETH, D, a_policy
from gate_worlds import worlds
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from gpt_trader.risk_gate.domain.checks.case import Request
from gpt_trader.risk_gate.domain.checks.table import CHECKS, all_hold, run
from gpt_trader.risk_gate.domain.increments import ONE
from gpt_trader.risk_gate.domain.policy import Policy
from gpt_trader.risk_gate.domain.policy.fields import Section, Tighter
from gpt_trader.risk_gate.domain.policy_changes import Change, changes, is_nowhere_looser
from gpt_trader.risk_gate.domain.review import gathered
from gpt_trader.risk_gate.domain.state import GateState


def marked(model: type[BaseModel], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Tighter]]:
    """Yield every field that says which side is tighter."""
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            yield from marked(field.annotation, (*path, name))
        for note in field.metadata:
            if isinstance(note, Tighter):
                yield (*path, name), note


MARKED = dict(marked(Policy))
CASES = settings(max_examples=2000, deadline=None)
POLICIES = {
    profile: a_policy(
        profile,
        exposure__clusters={"majors": {"products": [BTC, ETH], "fraction": "0.2"}},
        sizing__max_quantities={BTC: "0.5"},
    )
    for profile in ("demo", "dev", "prod", "spot")
}


def tightened(value: Any, mark: Tighter, share: Decimal) -> Any:
    """Move a value to its tighter side by `share`, or leave it where that would be no value."""
    match value:
        case Mapping():
            return {key: tightened(one, mark, share) for key, one in value.items()}
        case bool():
            return mark is Tighter.HIGHER
        case frozenset() | tuple():
            return type(value)(sorted(value)[-max(1, int(len(value) * share)) :])
        case timedelta():
            return timedelta(seconds=tightened(int(value.total_seconds()), mark, share))
        case int():
            return max(int(value * share), min(value, 1)) if mark is Tighter.LOWER else int(value / share) + 1
        case _:
            return value * share if mark is Tighter.LOWER else min(value / share, max(ONE, value))


def at_path(policy: Section, path: tuple[str, ...]) -> Any:
    for key in path:
        policy = dict(policy)[key]
    return policy


def moved(policy: Policy, path: tuple[str, ...], share: Decimal) -> Policy:
    """Tighten one limit, without looking at the rest again: validation would be most of an example's cost."""
    value = tightened(at_path(policy, path), MARKED[path], share)
    if len(path) == 1:
        return policy.model_copy(update={path[0]: value})
    section = at_path(policy, path[:1]).model_copy(update={path[1]: value})
    return policy.model_copy(update={path[0]: section})


moves = st.tuples(st.sampled_from(sorted(MARKED)), st.decimals(min_value="0.02", max_value=1, places=2))


@st.composite
def tighter_pairs(draw: st.DrawFn) -> tuple[Policy, Policy]:
    """Draw a policy and another that differs from it in a few marked limits, all on the tighter side."""
    old = POLICIES[draw(st.sampled_from(sorted(POLICIES)))]
    for path, share in draw(st.lists(moves, max_size=3)):
        old = moved(old, path, share)
    new = old
    for path, share in draw(st.lists(moves, min_size=1, max_size=4)):
        new = moved(new, path, share)
    return old, new


def is_approved_by(policy: Policy, under: Policy, request: Request, state: GateState) -> bool:
    """Whether `policy` approves the very order that `under` sizes and prices."""
    order, case = gathered(request, state, under), gathered(request, state, policy)
    notional = order.notional / (ONE + under.fee_rate) * (ONE + policy.fee_rate)
    case = replace(case, quantity=order.quantity, limit_price=order.limit_price, notional=notional)
    return all_hold(run(case, CHECKS)) and case.limit_price is not None


@CASES
@given(tighter_pairs(), worlds)
def test_what_is_nowhere_looser_approves_no_order_that_the_old_policy_denies(
    policies: tuple[Policy, Policy], world: tuple[Request, GateState]
) -> None:
    old, new = policies

    assert is_nowhere_looser(old, new)
    if is_approved_by(new, new, *world):
        assert is_approved_by(old, new, *world)


@pytest.mark.parametrize("path", sorted(MARKED), ids=".".join)
def test_each_marked_limit_is_looser_the_other_way(path: tuple[str, ...]) -> None:
    loose = POLICIES["prod"]
    tight = moved(loose, path, D("0.9"))

    assert is_nowhere_looser(loose, tight)
    assert {one.change for one in changes(tight, loose)} <= {Change.LOOSER}
    assert tight == loose or not is_nowhere_looser(tight, loose)


def test_a_cap_more_is_tighter_and_a_cap_less_is_looser() -> None:
    none, one = a_policy(sizing__max_quantities={}), a_policy(sizing__max_quantities={BTC: 1})

    assert is_nowhere_looser(none, one)
    assert [found.spelled() for found in changes(one, none)] == ["sizing.max_quantities.BTC-USD: 1 -> none (looser)"]


def test_a_cluster_more_waits_for_a_restart_for_its_products_leave_the_default_one() -> None:
    none = a_policy(exposure__clusters={})
    one = a_policy(exposure__clusters={"majors": {"products": [BTC], "fraction": 0.1}})

    assert [found.spelled() for found in changes(none, one)] == [
        "exposure.clusters.majors: none -> products [BTC-USD], fraction 0.1 (restart)"
    ]
    assert [found.change for found in changes(one, none)] == [Change.LOOSER]


def test_a_change_of_what_has_no_mark_waits_for_a_restart() -> None:
    found = tuple(changes(a_policy(), a_policy(quote_currency="USDC", limits__max_open_orders=1)))

    assert [(one.key, one.change) for one in found] == [
        ("quote_currency", Change.RESTART),
        ("limits.max_open_orders", Change.TIGHTER),
    ]
