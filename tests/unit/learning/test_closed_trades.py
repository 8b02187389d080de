"""Round trips and where their result came from (SPEC LL1)."""

from collections.abc import Callable, Iterable
from datetime import timedelta
from decimal import Context, Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt_trader.contracts.decisions import Decision
from gpt_trader.contracts.orders import Fill
from gpt_trader.learning.domain.attribution import Attribution, Cause, Execution, cause_of
from gpt_trader.learning.domain.records import Place
from gpt_trader.learning.domain.statistics import statistics_by_strategy
from gpt_trader.learning.domain.trades import Book, Step, fold

AFill = Callable[..., Fill]
APlace = Callable[[int], Place]


@pytest.fixture(scope="session")
def folded(place: APlace) -> Callable[..., Step]:
    def fold_fills(fills: Iterable[Fill], causes: Iterable[Cause | None] = ()) -> Step:
        known = dict(enumerate(causes))
        return fold(
            Book(),
            [Execution(fill=fill, cause=known.get(index), place=place(index + 1)) for index, fill in enumerate(fills)],
        )

    return fold_fills


def a_cause(mark: str, reference: str) -> Cause:
    return Cause(reason="crossed", reference_price=Decimal(reference), mark=Decimal(mark))


def test_a_trade_closes_when_the_position_returns_to_flat(a_fill: AFill, folded: Callable[..., Step]) -> None:
    fills = [
        a_fill(1, "buy", "1", "100", fee="0.6"),
        a_fill(2, "buy", "1", "102", fee="0.6"),
        a_fill(3, "sell", "0.5", "110", fee="0.3"),
        a_fill(4, "sell", "1.5", "90", fee="0.9"),
    ]

    book, (trade,) = folded(fills)

    assert (trade.gross, trade.fees, trade.net) == (Decimal(-12), Decimal("2.4"), Decimal("-14.4"))
    assert (trade.quantity, trade.entry_price, trade.exit_price) == (Decimal(2), Decimal(101), Decimal(95))
    assert (trade.held, trade.fills) == (timedelta(seconds=3), 4)
    assert book == Book()


def test_attribution_explains_the_gross_result_exactly(a_fill: AFill, folded: Callable[..., Step]) -> None:
    fills = [a_fill(1, "buy", "2", "100.5"), a_fill(2, "sell", "2", "109")]

    _, (trade,) = folded(fills, [a_cause(mark="100", reference="99.5"), a_cause(mark="110", reference="110.2")])

    assert trade.attribution == Attribution(
        signal_part=Decimal("1.4"),
        market_part=Decimal(20),
        entry_slippage=Decimal(1),
        exit_slippage=Decimal(2),
    )
    assert trade.gross == Decimal(17)


def test_attribution_is_unknown_when_a_decision_or_its_tick_is(a_fill: AFill, folded: Callable[..., Step]) -> None:
    fills = [a_fill(1, "buy", "1", "100"), a_fill(2, "sell", "1", "101")]

    _, (without_decision,) = folded(fills, [a_cause("100", "100"), None])
    _, (without_tick,) = folded(
        fills, [a_cause("100", "100"), Cause(reason="stop", reference_price=Decimal(1), mark=None)]
    )

    assert without_decision.attribution is None
    assert without_decision.exit_reason is None
    assert without_tick.attribution is None
    assert without_tick.exit_reason == "stop"


def test_the_mark_is_the_mid_of_the_tick_that_the_gate_decided_on(a_decision: Callable[..., Decision]) -> None:
    cause = cause_of(a_decision(mark="101", reference_price="100", reason="breakout"))

    assert cause == Cause(reason="breakout", reference_price=Decimal(100), mark=Decimal(101))


def test_selling_what_was_never_bought_is_no_trade(a_fill: AFill, folded: Callable[..., Step]) -> None:
    fills = [a_fill(1, "buy", "1", "100"), a_fill(2, "sell", "3", "110", fee="0.9")]

    book, (trade,) = folded(fills)

    assert (trade.quantity, trade.gross, trade.fees) == (Decimal(1), Decimal(10), Decimal("0.3"))
    assert (book.unmatched.proceeds, book.unmatched.fees) == (Decimal(220), Decimal("0.6"))


def test_a_reversal_takes_its_fill_back_and_is_no_sale(a_fill: AFill, folded: Callable[..., Step]) -> None:
    fills = [
        a_fill(1, "buy", "1", "100", fee="1"),
        a_fill(2, "buy", "1", "120", fee="1"),
        a_fill(3, "buy", "1", "120", kind="reversal", trade_id="trade-2", fee="1"),
    ]

    book, closed = folded(fills)

    assert closed == ()
    assert (book.trip.quantity, book.trip.cost, book.trip.fees) == (Decimal(1), Decimal(100), Decimal(1))


def test_a_correction_restates_its_fill(a_fill: AFill, folded: Callable[..., Step]) -> None:
    fills = [
        a_fill(1, "buy", "1", "100"),
        a_fill(2, "buy", "1", "101", kind="correction", trade_id="trade-1"),
        a_fill(3, "sell", "1", "111"),
    ]

    _, (trade,) = folded(fills)

    assert (trade.gross, trade.entry_price) == (Decimal(10), Decimal(101))


def test_a_reversal_of_something_closed_reopens_nothing(a_fill: AFill, folded: Callable[..., Step]) -> None:
    fills = [
        a_fill(1, "buy", "1", "100"),
        a_fill(2, "sell", "1", "110"),
        a_fill(3, "buy", "1", "100", kind="reversal", trade_id="trade-1"),
    ]

    book, closed = folded(fills)

    assert len(closed) == 1
    assert book.trip == Book().trip
    assert book.unmatched.fills == 1


AMOUNTS = st.decimals(min_value=Decimal("0.00000001"), max_value=Decimal(1_000_000), places=8)
FEES = st.decimals(min_value=Decimal(-10), max_value=Decimal(100), places=9)
MOVES = st.lists(st.tuples(st.sampled_from(["buy", "sell"]), AMOUNTS, AMOUNTS, FEES), max_size=25)


@given(moves=MOVES)
def test_closed_trades_and_the_open_trip_account_for_every_cent_of_cash(
    moves: list[tuple[str, Decimal, Decimal, Decimal]], a_fill: AFill, folded: Callable[..., Step]
) -> None:
    fills = [a_fill(n, side, str(q), str(p), fee=fee) for n, (side, q, p, fee) in enumerate(moves)]

    book, closed = folded(fills)

    with localcontext(Context(prec=80)):
        cash = sum((-fill.side.sign * fill.quantity * fill.price - fill.fee for fill in fills), Decimal(0))
        realized = sum((trade.net for trade in closed), Decimal(0)) + book.trip.realized
        unmatched = book.unmatched.proceeds - book.unmatched.fees
        assert realized - book.trip.cost + unmatched == cash


@given(moves=MOVES)
def test_folded_realized_profit_is_the_sum_over_the_trades(
    moves: list[tuple[str, Decimal, Decimal, Decimal]], a_fill: AFill, folded: Callable[..., Step]
) -> None:
    fills = [a_fill(n, side, str(q), str(p), fee=fee) for n, (side, q, p, fee) in enumerate(moves)]

    book, closed = folded(fills)

    with localcontext(Context(prec=80)):
        trades = sum((trade.net for trade in closed), Decimal(0)) + book.trip.realized
        assert trades == _realized_at_average_cost(fills)


def _realized_at_average_cost(fills: list[Fill]) -> Decimal:
    """Realized profit less fees the way a position keeps it: quantity and cost only, no trades."""
    held = cost = realized = Decimal(0)
    for fill in fills:
        if fill.side == "buy":
            held, cost, realized = held + fill.quantity, cost + fill.quantity * fill.price, realized - fill.fee
            continue
        sold = min(held, fill.quantity)
        if sold:
            share = cost if sold == held else (cost * sold / held).quantize(Decimal("1e-12"))
            fee = fill.fee if sold == fill.quantity else (fill.fee * sold / fill.quantity).quantize(Decimal("1e-12"))
            held, cost, realized = held - sold, cost - share, realized + sold * fill.price - share - fee
    return realized


@given(moves=MOVES, cut=st.integers(min_value=0, max_value=25))
def test_folding_on_from_the_last_closed_trade_closes_the_same_trades(
    moves: list[tuple[str, Decimal, Decimal, Decimal]], cut: int, a_fill: AFill, folded: Callable[..., Step]
) -> None:
    fills = [a_fill(n, side, str(q), str(p), fee=fee) for n, (side, q, p, fee) in enumerate(moves)]
    first = folded(fills[:cut])[1]
    resumed_at = next((n for n, fill in enumerate(fills, 1) if first and fill.fill_id == first[-1].closing_fill_id), 0)

    rest = folded(fills[resumed_at:])[1]

    assert (*first, *rest) == folded(fills)[1]


def test_statistics_are_net_and_unknown_without_a_sample(a_fill: AFill, folded: Callable[..., Step]) -> None:
    prices = [("100", "110"), ("100", "95"), ("100", "102")]
    fills = [
        a_fill(2 * n + leg, side, "1", price, fee="0.5")
        for n, pair in enumerate(prices)
        for leg, (side, price) in enumerate(zip(("buy", "sell"), pair, strict=True))
    ]
    _, trades = folded(fills)

    (trend,) = statistics_by_strategy(trades)
    (winner,) = statistics_by_strategy(trades[:1])

    assert (trend.trades, trend.wins, trend.losses) == (3, 2, 1)
    assert (trend.average_win, trend.average_loss) == (Decimal(5), Decimal(6))
    assert (trend.net, trend.fees) == (Decimal(4), Decimal(3))
    assert trend.profit_factor == Decimal("1.66666667")
    assert winner.profit_factor is None
    assert winner.average_loss is None
