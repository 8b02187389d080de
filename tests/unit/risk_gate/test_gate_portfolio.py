"""The fold over fills: exact, once each, whatever their order."""

from decimal import Decimal

from gate_builders import BTC, ETH, D, a_trade
from hypothesis import given, settings
from hypothesis import strategies as st

from gpt_trader.contracts.orders import Fill, FillKind
from gpt_trader.contracts.signals import Side
from gpt_trader.risk_gate.domain.portfolio import Holding, Portfolio, evolve, unrealized, value
from gpt_trader.risk_gate.domain.seen import SeenIds

FUNDED = Portfolio(cash={"USD": D(10000)})


def folded(*fills: Fill) -> Portfolio:
    portfolio = FUNDED
    for fill in fills:
        portfolio = evolve(portfolio, fill)
    return portfolio


def test_a_round_trip_realizes_the_difference_and_keeps_fees_apart() -> None:
    portfolio = folded(
        a_trade(Side.BUY, "2", "100", number=1, fee="1"),
        a_trade(Side.BUY, "2", "200", number=2, fee="2"),
        a_trade(Side.SELL, "1", "180", number=3, fee="0.5"),
        a_trade(Side.SELL, "3", "170", number=4, fee="0.5"),
    )

    holding = portfolio.holdings[BTC]
    assert (holding.quantity, holding.cost, holding.realized, holding.fees) == (0, 0, D(90), D(4))
    assert portfolio.cash["USD"] == D(10000) + D(90) - D(4)


def test_a_fill_counts_once_however_often_it_comes() -> None:
    fill = a_trade(Side.BUY, "1", "100")

    assert folded(fill, fill, fill) == folded(fill)


def test_a_reversal_leaves_the_books_as_if_the_fill_had_never_been() -> None:
    first = a_trade(Side.BUY, "2", "100", number=1, fee="1")
    wrong = a_trade(Side.BUY, "1", "400", number=2, fee="3", trade="t")
    undo = a_trade(Side.BUY, "1", "400", number=3, fee="3", kind=FillKind.REVERSAL, trade="t")

    undone = folded(first, wrong, undo)

    plain = folded(first)
    assert undone.cash == plain.cash
    assert undone.holdings[BTC] == plain.holdings[BTC]


def test_a_correction_restates_the_fill_it_names() -> None:
    wrong = a_trade(Side.BUY, "1", "400", number=1, fee="3", trade="t")
    right = a_trade(Side.BUY, "1", "300", number=2, fee="2", kind=FillKind.CORRECTION, trade="t")

    corrected = folded(wrong, right)

    plain = folded(a_trade(Side.BUY, "1", "300", number=9, fee="2"))
    assert corrected.cash == plain.cash
    assert corrected.holdings[BTC].cost == D(300)
    assert corrected.holdings[BTC].fees == D(2)


def test_a_fill_that_comes_after_its_correction_is_not_counted_again() -> None:
    wrong = a_trade(Side.BUY, "1", "400", number=1, fee="3", trade="t")
    right = a_trade(Side.BUY, "0.8", "300", number=2, fee="2", kind=FillKind.CORRECTION, trade="t")

    assert folded(right, wrong).cash == folded(wrong, right).cash
    assert folded(right, wrong).quantity(BTC) == D("0.8")


def test_a_portfolio_with_a_holding_without_a_mark_has_no_value() -> None:
    portfolio = Portfolio(cash={"USD": D(5)}, holdings={BTC: Holding(quantity=D(1), cost=D(10))})

    assert value(portfolio, {}, "USD") is None
    marked = value(portfolio, {BTC: D(12)}, "USD")
    assert marked is not None
    assert (marked.equity, marked.worths) == (D(17), {BTC: D(12)})


amounts = st.integers(1, 10**11).map(lambda number: D(number).scaleb(-8))  # an integer is drawn in a fifth of the time
prices = st.integers(1, 10**7).map(lambda number: D(number).scaleb(-2))
fees = st.integers(0, 10**5).map(lambda number: D(number).scaleb(-4))


@st.composite
def fills(draw: st.DrawFn) -> list[Fill]:
    count = draw(st.integers(1, 6))
    return [
        a_trade(
            draw(st.sampled_from(Side)),
            draw(amounts),
            draw(prices),
            number=number,
            product=draw(st.sampled_from([BTC, ETH])),
            fee=draw(fees),
        )
        for number in range(count)
    ]


@given(fills())
def test_quantity_and_cash_are_conserved(trades: list[Fill]) -> None:
    portfolio = folded(*trades)

    for product in (BTC, ETH):
        signed = [fill.quantity * fill.side.sign for fill in trades if fill.product == product]
        assert portfolio.quantity(product) == sum(signed, Decimal(0))
    flows = (-fill.quantity * fill.price * fill.side.sign - fill.fee for fill in trades)
    assert portfolio.cash["USD"] == D(10000) + sum(flows, Decimal(0))


@settings(max_examples=2000, deadline=None)
@given(fills(), st.randoms(use_true_random=False))
def test_the_order_of_independent_fills_does_not_matter(trades: list[Fill], chance: object) -> None:
    btc = [fill for fill in trades if fill.product == BTC]
    eth = [fill for fill in trades if fill.product == ETH]
    mixed: list[Fill] = []
    first, second = list(btc), list(eth)
    while first or second:
        source = first if first and (not second or chance.random() < 0.5) else second  # type: ignore[attr-defined] # Random
        mixed.append(source.pop(0))

    one, other = folded(*btc, *eth), folded(*mixed)

    assert one.cash == other.cash
    assert dict(one.holdings) == dict(other.holdings)
    assert one.fill_ids == other.fill_ids


@given(fills())
def test_value_changes_only_by_price_and_fee(trades: list[Fill]) -> None:
    """Realized plus unrealized minus fees is what equity gained, to the last digit that 28 digits can hold."""
    portfolio = folded(*trades)
    marked = value(portfolio, {BTC: D(100), ETH: D(50)}, "USD")

    assert marked is not None
    realized = sum((holding.realized for holding in portfolio.holdings.values()), Decimal(0))
    fees = sum((holding.fees for holding in portfolio.holdings.values()), Decimal(0))
    assert abs(marked.equity - D(10000) - (realized + unrealized(portfolio, marked.worths) - fees)) < D("1E-8")


@given(st.lists(st.text(max_size=3)))
def test_seen_ids_hold_exactly_what_was_added_in_any_order(keys: list[str]) -> None:
    forward, backward = SeenIds(), SeenIds()
    for key in keys:
        forward = forward.with_id(key)
    for key in reversed(keys):
        backward = backward.with_id(key)

    assert forward == backward == SeenIds.unpacked(forward.packed())
    assert len(forward) == len(set(keys))
    assert all(key in forward for key in keys)
