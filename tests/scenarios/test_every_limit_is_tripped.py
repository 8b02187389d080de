"""Each check, each guard and each limit of the policy is named by a scenario that trips it through the running gate."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from gpt_trader.risk_gate.domain.checks.table import CHECKS
from gpt_trader.risk_gate.domain.policy_reference import limits
from gpt_trader.risk_gate.domain.sweeps.table import GUARDS
from gpt_trader.risk_gate.settings import shipped_policies

HERE = Path(__file__).parent
FOLDERS = (HERE, HERE.parent / "controls")
BY_CONSTRUCTION = {
    "price_is_on_increment": "the gate rounds its own price: only a bug could trip it (test_gate_checks.py does)",
    "unresolved_orders": "an outcome must stay unknown for 90 s of real time (test_gate_sweeps.py trips it)",
}

AS_SHIPPED = {
    "signals.max_age_seconds": "test_a_wish_that_is_wrong_in_one_thing_fails_for_that",
    "signals.max_clock_skew_seconds": "test_a_wish_that_is_wrong_in_one_thing_fails_for_that",
    "prices.spread_bps": "test_each_tier_has_its_spread",
    "prices.hard_spread_bps": "test_an_exit_does_not_cross_a_broken_book",
    "prices.impact_bps": "test_an_order_that_walks_the_book_or_leaves_the_collar_is_denied",
    "scaling.unknown_volatility_multiplier": "test_an_entry_shrinks_with_volatility",
    "statistics.regime.crash_fraction": "test_nothing_is_entered_in_a_crash",
    "approvals.max_clock_offset_seconds": "test_a_gate_whose_clock_is_3_s_off_the_venues_gives_no_permit",
    "flatten.depth_fraction": "test_a_flatten_slices_into_a_thin_book_and_waits_where_the_book_is_gone",
    "reconcile.quote_tolerance": (
        "test_a_change_that_nothing_explains_blocks_learning_then_entries_until_the_totals_are_adopted"
    ),
    "reconcile.mismatches": (
        "test_a_change_that_nothing_explains_blocks_learning_then_entries_until_the_totals_are_adopted"
    ),
    "reconcile.halt_fraction": "test_a_difference_of_more_than_a_hundredth_of_equity_halts",
    "reconcile.order_drifts": "test_an_order_that_is_open_on_one_side_only_in_three_looks_pauses_everything",
    "venue_health.error_fraction": "test_a_venue_that_fails_too_often_blocks_entries_until_it_answers_again",
    "venue_health.budget_fraction": "test_a_spent_rate_budget_blocks_entries_until_there_is_room_again",
    "futures.maintenance_fraction": "test_a_future_past_a_cap_is_denied_by_name",
    "futures.buffer_fraction": (
        "test_near_liquidation_trading_is_reduce_only_and_the_gate_reduces_until_the_buffer_is_back"
    ),
    "futures.buffer_recovered_fraction": (
        "test_near_liquidation_trading_is_reduce_only_and_the_gate_reduces_until_the_buffer_is_back"
    ),
    "futures.window_lead_seconds": "test_exposure_is_reduced_before_the_margin_window_steps_up",
    "futures.funding_price_fraction": "test_funding_counts_to_the_last_digit_and_wallets_are_one_pot",
}
"""Limits that a scenario trips at the value of the demo, with that scenario."""

NO_THRESHOLD = {
    "profile": "a name",
    "quote_currency": "a name; test_a_product_in_another_currency_is_not_entered is denied for another one",
    "kelly.fraction": "a term of the size, as the next (test_gate_sizing.py)",
    "kelly.min_win_rate": "test_gate_sizing.py",
    "statistics.volatility_returns": "what is measured, as the next",
    "statistics.correlation_returns": "as above",
    "statistics.regime.window_returns": "as above",
    "statistics.regime.bull_fraction": "names a regime (test_gate_memory.py); that of a crash is tripped",
    "statistics.regime.bear_fraction": "as above",
    "statistics.regime.leave_share": "as above",
    "prices.jump_sigmas": "a term of the jump, whose floor is tripped",
    "prices.depth_within_bps": "where depth is measured",
    "cooldowns.after_stop_seconds": "the check of a loss, which is tripped (test_gate_checks.py has all three)",
    "cooldowns.after_win_seconds": "as above",
    "repeats.window_seconds": "a window, whose count is tripped, as the next",
    "escalation.denials_window_seconds": "as above",
    "escalation.rejections_window_seconds": "as above",
    "escalation.slippage_window_seconds": "as above",
    "reconcile.base_tolerance_notional": "the tolerance of coins; that of dollars is tripped",
    "losses.weekly_warn_fraction": "a warning, which stops nothing; those of day and drawdown are told in scenarios",
    "breakers.warn_share": "as above",
    "breakers.spread_floor_bps": "an addition to a multiple that is tripped",
    "breakers.depth_enough_notional": "an addition to a share that is tripped",
}
"""What no scenario can trip by itself, with the reason."""


@cache
def trees() -> tuple[ast.Module, ...]:
    return tuple(ast.parse(path.read_text()) for folder in FOLDERS for path in folder.glob("test_*.py"))


def calls_of(name: str) -> Iterator[ast.Call]:
    """Yield every call of a function in the scenarios."""
    nodes = (node for tree in trees() for node in ast.walk(tree) if isinstance(node, ast.Call))
    return (call for call in nodes if ast.unparse(call.func).rpartition(".")[2] == name)


def tripped() -> set[str]:
    """Collect the words of every `trips(...)` in this folder."""
    return {word.value for call in calls_of("trips") for word in call.args if isinstance(word, ast.Constant)}


def changed() -> set[str]:
    """Collect the limits that scenarios set: `policy(section={key: …})`, also where a constant holds the keys."""
    named = constants()
    sections = [one for name in ("policy", "with_policy") for call in calls_of(name) for one in call.keywords]
    found = {f"{one.arg}.{word}" for one in sections for word in words_of(one.value)}
    kept = {f"{one.arg}.{word}" for one in sections for name in names_of(one.value) for word in named.get(name, ())}
    single = {one.arg or "" for one in sections if isinstance(one.value, ast.Constant)}
    return found | kept | single


def constants() -> dict[str, set[str]]:
    """Return the words in each constant of the scenarios."""
    nodes = (node for tree in trees() for node in tree.body if isinstance(node, ast.Assign))
    return {ast.unparse(node.targets[0]): words_of(node.value) for node in nodes}


def words_of(value: ast.AST) -> set[str]:
    nodes = (node for node in ast.walk(value) if isinstance(node, ast.Constant))
    return {node.value for node in nodes if isinstance(node.value, str)}


def names_of(value: ast.AST) -> set[str]:
    return {node.id for node in ast.walk(value) if isinstance(node, ast.Name)}


def rows() -> set[str]:
    return {check.rule for check in CHECKS} | {guard.name for guard in GUARDS}


def test_every_check_and_every_guard_has_a_scenario_that_trips_it() -> None:
    assert not rows() - tripped() - BY_CONSTRUCTION.keys()


def test_every_row_that_a_scenario_names_exists() -> None:
    assert not tripped() - rows()
    assert not BY_CONSTRUCTION.keys() - rows()


def test_every_limit_of_the_policy_is_tripped_by_a_scenario_or_is_no_threshold() -> None:
    keys = {limit.key for limit in limits(shipped_policies())}

    assert sorted(keys - changed() - AS_SHIPPED.keys() - NO_THRESHOLD.keys()) == []
    assert not (AS_SHIPPED.keys() | NO_THRESHOLD.keys()) - keys
    assert sorted(NO_THRESHOLD.keys() & changed()) == []


def test_every_scenario_that_trips_a_shipped_limit_exists() -> None:
    sources = "".join(path.read_text() for folder in FOLDERS for path in folder.glob("test_*.py"))

    assert not [name for name in AS_SHIPPED.values() if f"def {name}(" not in sources]
