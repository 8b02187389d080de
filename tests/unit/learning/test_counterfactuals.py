"""What denied entries would have made, and what that says of each guard (SPEC LL2)."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from gpt_trader.contracts.decisions import Decision, SizingStep
from gpt_trader.contracts.market import Candle, Tick
from gpt_trader.learning.domain.counterfactuals import (
    Counterfactual,
    Denial,
    Ended,
    Ending,
    counterfactual,
    denial_of,
    follow,
)
from gpt_trader.learning.domain.guards import DeniedEntry, guard_reports
from gpt_trader.learning.domain.records import Place

HORIZON = timedelta(minutes=10)
NO_FEE = Decimal(0)
HORIZON_END = datetime(2025, 3, 1, 12, 10, tzinfo=UTC)
ATick = Callable[..., Tick]
ACandle = Callable[..., Candle]
ADenial = Callable[..., Denial]


@pytest.fixture
def a_denial(a_decision: Callable[..., Decision], place: Callable[[int], Place]) -> ADenial:
    def build(**fields: Any) -> Denial:
        fields = {"failed": ("spread",), "stop_price": "95", "target_price": "110", **fields}
        denial = denial_of(a_decision(**fields), HORIZON, place(1))
        assert denial is not None
        return denial

    return build


def followed(denial: Denial, *path: Tick | Candle) -> Denial | Ended:
    step: Denial | Ended = denial
    for market in path:
        assert isinstance(step, Denial)
        step = follow(step, market)
    return step


def ending(step: Denial | Ended) -> tuple[Ending, Decimal | None]:
    assert isinstance(step, Ended)
    return step.ending, step.price


def test_only_denied_entries_are_followed(a_decision: Callable[..., Decision], place: Callable[[int], Place]) -> None:
    assert denial_of(a_decision(), HORIZON, place(1)) is None
    assert denial_of(a_decision(action="exit", side="sell", failed=("epoch",)), HORIZON, place(1)) is None


def test_a_path_ends_at_the_first_of_stop_and_target(a_denial: ADenial, a_tick: ATick) -> None:
    stopped = followed(a_denial(), a_tick("101", 1), a_tick("95", 2))
    won = followed(a_denial(), a_tick("101", 1), a_tick("110", 2))

    assert ending(stopped) == (Ending.STOP, Decimal(95))
    assert ending(won) == (Ending.TARGET, Decimal(110))


def test_a_gap_through_the_stop_costs_the_gap(a_denial: ADenial, a_tick: ATick, a_candle: ACandle) -> None:
    assert ending(followed(a_denial(), a_tick("90", 1))) == (Ending.STOP, Decimal(90))
    assert ending(followed(a_denial(), a_candle(("90", "99", "80", "99"), 0))) == (Ending.STOP, Decimal(90))


def test_a_candle_that_holds_both_ends_at_the_stop(a_denial: ADenial, a_candle: ACandle) -> None:
    assert ending(followed(a_denial(), a_candle(("100", "120", "90", "110"), 0))) == (Ending.STOP, Decimal(95))


def test_a_short_entry_is_stopped_above(a_denial: ADenial, a_tick: ATick) -> None:
    denial = a_denial(side="sell", stop_price="105", target_price="90")

    assert ending(followed(denial, a_tick("105", 1))) == (Ending.STOP, Decimal(105))
    assert ending(followed(denial, a_tick("90", 1))) == (Ending.TARGET, Decimal(90))


def test_at_the_horizon_the_last_price_before_it_counts(a_denial: ADenial, a_tick: ATick) -> None:
    step = followed(a_denial(), a_tick("103", 599), a_tick("120", 600))

    assert ending(step) == (Ending.EXPIRY, Decimal(103))


def test_without_a_price_before_the_horizon_nothing_is_claimed(a_denial: ADenial, a_tick: ATick) -> None:
    step = followed(a_denial(), a_tick("120", 601))
    assert isinstance(step, Ended)

    result = counterfactual(step, NO_FEE)

    assert (result.ending, result.net_bps, result.net) == (Ending.UNOBSERVED, None, None)


def test_a_candle_only_fills_gaps_between_ticks(a_denial: ADenial, a_tick: ATick, a_candle: ACandle) -> None:
    seen = followed(a_denial(), a_tick("100", 20))
    assert isinstance(seen, Denial)

    assert follow(a_denial(), a_candle(("90", "90", "90", "90"), -15)) == a_denial()
    assert follow(seen, a_candle(("90", "90", "90", "90"), 15)) == seen
    assert isinstance(follow(seen, a_candle(("90", "90", "90", "90"), 30)), Ended)


def test_a_candle_across_the_horizon_tells_nothing(a_denial: ADenial, a_candle: ACandle) -> None:
    denial = a_denial()

    assert follow(denial, a_candle(("90", "90", "90", "90"), 590)) == denial


def test_both_legs_pay_the_taker_fee(a_denial: ADenial, a_tick: ATick) -> None:
    denial = a_denial(notional="1000")
    step = followed(denial, a_tick("110", 1))
    assert isinstance(step, Ended)

    result = counterfactual(step, Decimal(60))

    assert (result.net_bps, result.net) == (Decimal(874), Decimal("87.4"))


def test_the_size_is_the_last_before_a_guard_took_it_all(a_denial: ADenial) -> None:
    sizing = (SizingStep("cap", Decimal(500)), SizingStep("depth", Decimal(200)), SizingStep("cooldown", Decimal(0)))

    assert a_denial(sizing=sizing).notional == Decimal(200)
    assert a_denial().notional is None


def test_an_unsized_entry_has_a_return_but_no_amount(a_denial: ADenial) -> None:
    result = counterfactual(Ended(denial=a_denial(), ending=Ending.TARGET, price=Decimal(110), at=HORIZON_END), NO_FEE)

    assert (result.net_bps, result.net) == (Decimal(1000), None)


def an_entry(a_denial: ADenial, failed: tuple[str, ...], exit_price: str, notional: str = "1000") -> DeniedEntry:
    denial = a_denial(failed=failed, notional=notional)
    ended = Ended(denial=denial, ending=Ending.EXPIRY, price=Decimal(exit_price), at=HORIZON_END)
    return DeniedEntry(failed=failed, counterfactual=counterfactual(ended, NO_FEE))


def test_each_failing_check_is_credited_in_full_and_alone_only_when_it_was(a_denial: ADenial) -> None:
    entries = [
        an_entry(a_denial, ("spread", "cooldown"), "90"),
        an_entry(a_denial, ("spread",), "105"),
        an_entry(a_denial, ("spread",), "90", notional="0"),
        DeniedEntry(failed=("cooldown",), counterfactual=None),
    ]

    cooldown, spread = guard_reports(entries)

    assert (spread.check, spread.denials, spread.sole_denials, spread.followed, spread.unsized) == (
        "spread",
        3,
        2,
        3,
        1,
    )
    assert (spread.saved, spread.cost, spread.balance) == (Decimal(100), Decimal(50), Decimal(50))
    assert (spread.sole_saved, spread.sole_cost, spread.net_bps) == (Decimal(0), Decimal(50), Decimal(-1500))
    assert (cooldown.denials, cooldown.followed, cooldown.saved, cooldown.sole_saved) == (
        2,
        1,
        Decimal(100),
        Decimal(0),
    )


def test_a_result_survives_the_wire(a_denial: ADenial, a_tick: ATick) -> None:
    step = followed(a_denial(notional="33.33"), a_tick("95", 1))
    assert isinstance(step, Ended)
    result = counterfactual(step, Decimal(60))

    assert Counterfactual.decode(result.encode()) == result
