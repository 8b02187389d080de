"""Sums over fills do not depend on their order or repetition."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from gpt_trader.contracts.intents import ApprovedIntent
from gpt_trader.contracts.orders import Fill, FillKind
from gpt_trader.contracts.signals import Side
from gpt_trader.executor.domain.executions import Totals, slippage_bps, totals

NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)
Fills = Callable[..., Fill]

STATEMENTS = st.lists(
    st.tuples(
        st.integers(0, 5),
        st.sampled_from(FillKind),
        st.decimals("0.00000001", "1000", places=8),
        st.decimals("0.01", "100000", places=2),
        st.integers(0, 3),
    ),
    max_size=12,
)


@given(STATEMENTS, st.randoms(use_true_random=False))
def test_permutations_and_duplicates_give_the_same_sums(
    a_fill: Fills, statements: list[tuple[int, FillKind, Decimal, Decimal, int]], rng: object
) -> None:
    fills = [
        a_fill(
            number,
            trade_id=f"trade-{trade}",
            kind=kind,
            quantity=quantity,
            price=price,
            occurred_at=NOW + timedelta(seconds=second),
        )
        for number, (trade, kind, quantity, price, second) in enumerate(statements)
    ]
    shuffled = [*fills, *fills[::2]]
    rng.shuffle(shuffled)  # type: ignore[attr-defined] # hypothesis' Random

    assert totals({one.fill_id: one for one in shuffled}) == totals({one.fill_id: one for one in fills})


def test_a_reversal_takes_back_and_a_correction_restates(a_fill: Fills) -> None:
    first, second = a_fill(1), a_fill(2, quantity=Decimal(2))
    corrected = a_fill(3, trade_id="trade-2", kind=FillKind.CORRECTION, quantity=Decimal("1.5"), price=Decimal(99))
    reversed_ = a_fill(4, trade_id="trade-1", kind=FillKind.REVERSAL)

    done = totals({one.fill_id: one for one in (first, second, corrected, reversed_)})

    assert done == Totals(quantity=Decimal("1.5"), notional=Decimal("148.5"), fees=Decimal("0.1"))
    assert done.average_price == Decimal(99)


def test_several_rows_of_one_trade_all_count(a_fill: Fills) -> None:
    rows = {one.fill_id: one for one in (a_fill(1, trade_id="same"), a_fill(2, trade_id="same"))}

    assert totals(rows).quantity == 2


def test_slippage_counts_from_the_mark_at_arrival_and_a_stops_from_its_own_price(
    an_approval: Callable[..., ApprovedIntent], a_fill: Fills
) -> None:
    bought = a_fill(1, side=Side.BUY, price=Decimal("100.2"))
    sold = a_fill(2, side=Side.SELL, price=Decimal("98.9"))

    later = an_approval(mark=Decimal(101), arrival_mark=Decimal(100))
    stop = an_approval(side=Side.SELL, mark=Decimal(110), arrival_mark=Decimal(110), stop_price=Decimal(100))

    assert slippage_bps(bought, later) == Decimal(20)
    assert slippage_bps(sold, stop) == Decimal(110)
    assert slippage_bps(a_fill(3, side=Side.BUY, price=Decimal("99.9")), later) == Decimal(-10)
