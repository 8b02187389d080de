"""One release everywhere: what the gate does about a service that says it runs another."""

import pytest
from gate_builders import NOW, a_state

from gpt_trader.contracts.account import TradingStatus
from gpt_trader.contracts.subjects import Zone
from gpt_trader.risk_gate.domain.gate import folded
from gpt_trader.risk_gate.domain.releases import IN_THE_ORDERS_PATH, compared, differing
from gpt_trader.risk_gate.domain.trading_state import standing

OURS, THEIRS = "1.0.0+aaaa", "1.0.0+bbbb"
ALL_OURS = {zone: {0: OURS} for zone in IN_THE_ORDERS_PATH}


def test_nobody_heard_and_everybody_alike_restrict_nothing() -> None:
    assert not compared(a_state(), {}, OURS, NOW)
    assert not compared(a_state(), {Zone.EXECUTOR: {0: OURS}}, OURS, NOW)
    assert not compared(a_state(), ALL_OURS, OURS, NOW)


@pytest.mark.parametrize("zone", IN_THE_ORDERS_PATH)
def test_one_of_another_release_is_reduce_only_until_all_were_heard_alike(zone: Zone) -> None:
    mixed = folded(compared(a_state(), {zone: {0: THEIRS}}, OURS, NOW), a_state())
    (cause,) = mixed.causes
    others = {name: {0: OURS} for name in IN_THE_ORDERS_PATH if name is not zone}

    assert standing(mixed.causes, None, NOW).status is TradingStatus.REDUCE_ONLY
    assert f"{zone} runs {THEIRS}" in cause.detail
    assert not compared(mixed, {zone: {0: THEIRS}}, OURS, NOW), "said once"
    assert not compared(mixed, {}, OURS, NOW), "a restart of the gate forgets who spoke, not that it was mixed"
    assert not compared(mixed, others, OURS, NOW), "the one that differed has not spoken again"
    assert not folded(compared(mixed, ALL_OURS, OURS, NOW), mixed).causes


def test_only_the_path_of_orders_counts() -> None:
    assert differing({Zone.LEARNING: {0: THEIRS}, **ALL_OURS}, OURS) == {}
    assert differing({**ALL_OURS, Zone.EXECUTOR: {0: THEIRS}}, OURS) == {Zone.EXECUTOR: THEIRS}


def test_one_shard_of_another_release_is_enough() -> None:
    assert differing({**ALL_OURS, Zone.STRATEGY: {0: OURS, 1: THEIRS}}, OURS) == {Zone.STRATEGY: THEIRS}


def test_a_service_may_call_itself_anything_without_breaking_the_gate() -> None:
    (raised,) = compared(a_state(), {Zone.STRATEGY: {0: "x" * 100_000}}, OURS, NOW)

    assert len(str(raised)) < 1000
