"""Not a digit of money comes or goes unnoticed: fills, corrections, reversals and transfers in any mixture."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from gate_builders import BTC, ETH, NOW, D, a_policy, a_state, a_trade
from hypothesis import given, settings
from hypothesis import strategies as st

from gpt_trader.contracts.orders import Fill, FillKind
from gpt_trader.contracts.signals import Side
from gpt_trader.risk_gate.domain.gate import evolve, folded
from gpt_trader.risk_gate.domain.history import History
from gpt_trader.risk_gate.domain.portfolio import value
from gpt_trader.risk_gate.domain.records import FillReported, Record, TransferSeen
from gpt_trader.risk_gate.domain.state import GateState, fingerprint
from gpt_trader.risk_gate.domain.views import account

POLICY = a_policy()
MARKS = {BTC: D("101.37"), ETH: D("49.99")}
OPENING = a_state(POLICY, cash="10000", positions={ETH: ("3", "50")})

quantities = st.integers(1, 10**11).map(lambda steps: D(steps).scaleb(-8))
prices = st.integers(1, 10**7).map(lambda steps: D(steps).scaleb(-2))
fees = st.integers(0, 10**9).map(lambda steps: D(steps).scaleb(-8))
products = st.sampled_from([BTC, ETH])


def counted(fill: Fill) -> FillReported:
    return FillReported(fill=fill, sequence=0, is_slippage=False, raised=(), at=NOW)


@st.composite
def trades(draw: st.DrawFn, number: int, product: str | None = None) -> list[Record]:
    """Draw an execution, and now and then what the venue says of it afterwards."""
    name, side = product or draw(products), draw(st.sampled_from(Side))
    fill = a_trade(side, draw(quantities), draw(prices), number=number, product=name, fee=draw(fees))
    second = draw(st.sampled_from([None, None, FillKind.REVERSAL, FillKind.CORRECTION]))
    if second is None:
        return [counted(fill)]
    again = fill.model_copy(update={"fill_id": f"{fill.fill_id}-again", "kind": second})
    if second is FillKind.CORRECTION:
        again = again.model_copy(update={"quantity": draw(quantities), "price": draw(prices), "fee": draw(fees)})
    return [counted(fill), counted(again)]


@st.composite
def transfers(draw: st.DrawFn, number: int, *, is_income: bool = False) -> list[Record]:
    """Draw a deposit or withdrawal of cash or coins, or what they earned, at the mark of the moment."""
    product = draw(st.sampled_from([None, BTC, ETH]))
    amount = draw(quantities) * draw(st.sampled_from([1, -1]))
    return [
        TransferSeen(
            transfer_id=f"transfer-{number}",
            currency="USD" if product is None else product.split("-", maxsplit=1)[0],
            product=product,
            amount=amount,
            mark=D(1) if product is None else draw(prices),
            is_income=is_income,
            made_at=NOW,
            at=NOW,
        )
    ]


@st.composite
def histories(draw: st.DrawFn) -> list[Record]:
    found: list[Record] = []
    for number in range(draw(st.integers(1, 6))):
        found += draw(st.one_of(trades(number), trades(number), transfers(number), transfers(number, is_income=True)))
    return found


def equity(state: GateState) -> Decimal:
    valuation = value(state.portfolio, MARKS, "USD")
    assert valuation is not None
    return valuation.equity


@settings(max_examples=300, deadline=None)
@given(histories())
def test_equity_is_the_opening_plus_transfers_plus_what_was_made_less_fees_exactly(history: list[Record]) -> None:
    state = folded(history, OPENING)

    said = account(state, POLICY, MARKS, {}, NOW, is_reconciled=True)

    made = said.realized_pnl + said.unrealized_pnl - said.fees + said.funding + said.income
    assert said.equity == said.opening_equity + said.transfers + made
    assert said.equity == equity(state)


@settings(max_examples=200, deadline=None)
@given(histories())
def test_money_before_is_money_after_plus_fees_plus_change_of_positions(history: list[Record]) -> None:
    """I14, record by record: cash moves only by what a position gained or lost at its price, and by its fee."""
    state = OPENING
    for record in history:
        after = evolve(state, record)
        assert after.portfolio.cash["USD"] - state.portfolio.cash["USD"] == flow(record, history)
        state = after


def flow(record: Record, history: Sequence[Record]) -> Decimal:
    """Say what a record does to cash, from itself and what it restates alone."""
    if isinstance(record, TransferSeen):
        return D(0) if record.product else record.amount
    assert isinstance(record, FillReported)
    fill = record.fill
    paid = -fill.quantity * fill.price * fill.side.sign - fill.fee
    if fill.kind is FillKind.FILL:
        return paid
    original = next(one.fill for one in history if isinstance(one, FillReported) and one.fill.trade_id == fill.trade_id)
    undone = original.quantity * original.price * original.side.sign + original.fee
    return undone if fill.kind is FillKind.REVERSAL else undone + paid


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_the_order_of_what_is_independent_does_not_change_the_state(data: st.DataObject) -> None:
    lanes = [data.draw(trades(number, product)) for number, product in ((1, BTC), (2, ETH))]
    lanes += [data.draw(trades(3, BTC)), data.draw(trades(4, ETH))]
    straight = folded([*lanes[0], *lanes[2], *lanes[1], *lanes[3]], OPENING)

    left = {BTC: [*lanes[0], *lanes[2]], ETH: [*lanes[1], *lanes[3]]}
    mixed: list[Record] = []
    while left:
        product = data.draw(st.sampled_from(sorted(left)))
        mixed.append(left[product].pop(0))
        left = {name: rest for name, rest in left.items() if rest}
    other = folded(mixed, OPENING)

    assert _unordered(straight) == _unordered(other)


def _unordered(state: GateState) -> str:
    """Hash everything but the history, which is a log in the order of the reports."""
    return fingerprint(replace(state, history=History()))


@settings(max_examples=200, deadline=None)
@given(st.permutations(range(6)), st.data())
def test_any_order_of_fills_of_one_product_makes_the_same_money(order: list[int], data: st.DataObject) -> None:
    """How much of it counts as realized depends on the order; what there is does not."""
    fills = [record for number in range(6) for record in data.draw(trades(number, BTC))[:1]]

    one, other = folded(fills, OPENING), folded([fills[place] for place in order], OPENING)

    assert one.portfolio.cash == other.portfolio.cash
    assert one.portfolio.quantity(BTC) == other.portfolio.quantity(BTC)
    assert equity(one) == equity(other)


@settings(max_examples=200, deadline=None)
@given(histories(), transfers(99))
def test_a_transfer_is_neither_profit_nor_loss(history: list[Record], transfer: list[Record]) -> None:
    state = folded(history, OPENING)
    (seen,) = transfer
    assert isinstance(seen, TransferSeen)
    marks = MARKS if seen.product is None else MARKS | {seen.product: seen.mark}

    before = account(state, POLICY, marks, {}, NOW, is_reconciled=True)
    after = account(folded([seen, seen], state), POLICY, marks, {}, NOW, is_reconciled=True)

    assert after.day_pnl == before.day_pnl
    assert after.equity - before.equity == after.transfers - before.transfers == seen.amount * seen.mark
    assert after.peak_equity - after.equity == before.peak_equity - before.equity


def test_a_position_that_came_in_is_nobodys_and_one_that_left_realizes_its_gain() -> None:
    came = TransferSeen(
        transfer_id="1", currency="BTC", product=BTC, amount=D(2), mark=D(100), made_at=NOW, at=NOW
    )  # fmt: skip
    went = came.model_copy(update={"transfer_id": "2", "amount": D(-1), "mark": D(130), "at": NOW + timedelta(hours=1)})

    state = folded([came, went], a_state(POLICY, cash="1000"))

    holding = state.portfolio.holdings[BTC]
    assert (holding.strategy, holding.quantity, holding.cost, holding.realized) == ("transfer", 1, 100, 30)
    assert state.portfolio.transfers == 200 - 130
