"""What each entry made: every fill counted once, sales shared among what is held, nothing guessed."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lab_builders import BTC, START, D, a_fill, a_restless_day

from gpt_trader.contracts.ids import FillId, VenueOrderId
from gpt_trader.contracts.intents import ApprovedIntent
from gpt_trader.contracts.orders import FillKind, OrderEvent, OrderStatus
from gpt_trader.contracts.signals import Side
from gpt_trader.lab.domain.outcomes import Closed, Outcome, Outcomes, Unfilled, Unsettled
from gpt_trader.risk_gate.domain import records as gate

Trade = tuple[int, Side, str, str]
"""Which entry, side, quantity, price; sales name an entry that nobody looks at."""


@pytest.fixture(scope="module")
def decisions(tmp_path_factory: pytest.TempPathFactory) -> list[gate.DecisionMade]:
    """Make some approved entries whose fills the tests then make up."""
    day = a_restless_day(tmp_path_factory.mktemp("day"))
    made = [one for one in day.gate_records if isinstance(one, gate.DecisionMade)]
    return [one for one in made if one.intent is not None and one.intent.side is Side.BUY][:3]


def intent_of(decision: gate.DecisionMade) -> ApprovedIntent:
    assert decision.intent is not None
    return decision.intent


def fill(intent: ApprovedIntent, number: int, trade: Trade, **changes: object) -> gate.FillReported:
    _, side, quantity, price = trade
    fields = {"fill_id": FillId(f"fill-{number}"), "trade_id": f"trade-{number}", "side": side,
              "quantity": D(quantity), "price": D(price), "fee": D(1), "intent_id": intent.intent_id}  # fmt: skip
    stated = a_fill(intent, VenueOrderId("venue")).model_copy(update=fields | changes)
    return gate.FillReported(fill=stated, sequence=number, is_slippage=False, raised=(), at=START)


def end(intent: ApprovedIntent, filled: str, status: OrderStatus = OrderStatus.FILLED) -> gate.OrderReported:
    event = OrderEvent(
        client_order_id=intent.client_order_id, revision=9, venue_order_id=None, intent_id=intent.intent_id,
        strategy=intent.strategy, product=intent.product, side=intent.side, purpose=intent.purpose,
        quantity=intent.quantity, limit_price=intent.limit_price, status=status, filled_quantity=D(filled),
        average_price=None, fees=D(0), reason="", occurred_at=START, reported_at=START,
    )  # fmt: skip
    return gate.OrderReported(event=event, sequence=1, raised=(), at=START)


def outcomes_of(decisions: list[gate.DecisionMade], records: Sequence[gate.Record]) -> list[Outcome]:
    outcomes = Outcomes()
    for record in (*decisions, *records):
        outcomes.take(record)
    found = outcomes.by_intent()
    return [found[intent_of(decision).intent_id] for decision in decisions]


def traded(decisions: list[gate.DecisionMade], trades: Sequence[Trade]) -> list[gate.Record]:
    """Fill these trades, then end every entry with what it bought."""
    fills = [fill(intent_of(decisions[trade[0]]), number, trade) for number, trade in enumerate(trades)]
    bought = [sum((D(t[2]) for t in trades if t[0] == place and t[1] is Side.BUY), D(0)) for place in (0, 1, 2)]
    ends = [end(intent_of(one), str(quantity)) for one, quantity in zip(decisions, bought, strict=True)]
    return [*fills, *ends]


def test_a_round_trip_makes_the_difference_less_both_fees(decisions: list[gate.DecisionMade]) -> None:
    trades: list[Trade] = [(0, Side.BUY, "2", "100"), (1, Side.SELL, "2", "110")]

    first, *_ = outcomes_of(decisions, traded(decisions, trades))

    assert first == Closed(quantity=D(2), net=D(18))


def test_a_sale_takes_from_every_open_entry_in_proportion(decisions: list[gate.DecisionMade]) -> None:
    trades: list[Trade] = [
        (0, Side.BUY, "3", "100"), (1, Side.BUY, "1", "120"), (2, Side.SELL, "2", "140"), (2, Side.SELL, "2", "100"),
    ]  # fmt: skip

    first, second, _ = outcomes_of(decisions, traded(decisions, trades))

    assert first == Closed(quantity=D(3), net=D("57.5"))  # 1.5 x 140 + 1.5 x 100 - 300, less 1 and 3/4 of 2 fees
    assert second == Closed(quantity=D(1), net=D("-1.5"))  # 0.5 x 140 + 0.5 x 100 - 120, less 1 and 1/4 of 2 fees


def test_what_is_still_held_is_unsettled(decisions: list[gate.DecisionMade]) -> None:
    trades: list[Trade] = [(0, Side.BUY, "2", "100"), (1, Side.SELL, "1", "110")]

    assert outcomes_of(decisions, traded(decisions, trades))[0] == Unsettled()


def test_an_order_without_an_end_or_with_a_fill_on_its_way_is_unsettled(decisions: list[gate.DecisionMade]) -> None:
    intent = intent_of(decisions[0])
    trip: list[gate.Record] = [fill(intent, 1, (0, Side.BUY, "1", "100")), fill(intent, 2, (0, Side.SELL, "1", "110"))]

    assert outcomes_of(decisions, [])[0] == Unsettled()
    assert outcomes_of(decisions, trip)[0] == Unsettled()
    assert outcomes_of(decisions, [*trip, end(intent, "2")])[0] == Unsettled()


def test_an_order_that_ended_or_was_voided_without_a_fill_made_nothing(decisions: list[gate.DecisionMade]) -> None:
    voided = gate.ApprovalVoided(
        client_order_id=intent_of(decisions[1]).client_order_id, reason="expired", at=START + timedelta(minutes=1)
    )

    found = outcomes_of(decisions, [end(intent_of(decisions[0]), "0", OrderStatus.CANCELED), voided])

    assert found == [Unfilled(), Unfilled(), Unsettled()]


def test_a_fill_that_is_told_twice_counts_once(decisions: list[gate.DecisionMade]) -> None:
    trades: list[Trade] = [(0, Side.BUY, "2", "100"), (1, Side.SELL, "2", "110")]
    records = traded(decisions, trades)

    assert outcomes_of(decisions, [*records[:2], *records]) == outcomes_of(decisions, records)


def test_a_correction_restates_and_a_reversal_takes_back(decisions: list[gate.DecisionMade]) -> None:
    intent = intent_of(decisions[0])
    sale: Trade = (1, Side.SELL, "2", "110")
    wrong = fill(intent, 1, (0, Side.BUY, "2", "90"))
    right = fill(intent, 2, (0, Side.BUY, "2", "100"), trade_id="trade-1", kind=FillKind.CORRECTION)
    never = fill(intent, 3, (0, Side.BUY, "5", "1"))
    undone = fill(intent, 4, (0, Side.BUY, "5", "1"), trade_id="trade-3", kind=FillKind.REVERSAL)
    records: list[gate.Record] = [wrong, never, fill(intent, 5, sale), undone, right, wrong, end(intent, "2")]

    assert outcomes_of(decisions, records)[0] == Closed(quantity=D(2), net=D(18))


def test_what_was_there_before_us_is_sold_along_but_is_nobodys(decisions: list[gate.DecisionMade]) -> None:
    adopted = gate.OpeningPosition(product=BTC, quantity=D(1), mark=D(50))
    opened = gate.Opened(cash={"USD": D(1)}, positions=(adopted,), at=START)
    trades: list[Trade] = [(0, Side.BUY, "1", "100"), (1, Side.SELL, "1", "110"), (1, Side.SELL, "1", "130")]

    first, *_ = outcomes_of(decisions, [opened, *traded(decisions, trades)])

    assert first == Closed(quantity=D(1), net=D(18))  # 0.5 x 110 + 0.5 x 130 - 100, less 1 and half of 2 fees


Settle = Callable[[Sequence[Trade]], list[Outcome]]


@pytest.fixture(scope="module")
def settle(decisions: list[gate.DecisionMade]) -> Settle:
    """Give the outcomes of made-up trades by a name that is short to print."""
    return lambda trades: outcomes_of(decisions, traded(decisions, trades))


wishes = st.lists(
    st.tuples(
        st.sampled_from([0, 1, 2]),
        st.sampled_from(Side),
        st.decimals(min_value="0.00000001", max_value=9, places=8),
        st.decimals(min_value=1, max_value=100_000, places=2),
    ),
    max_size=12,
)


@given(wishes)
def test_all_entries_together_made_what_the_fills_moved(
    settle: Settle, wishes: list[tuple[int, Side, Decimal, Decimal]]
) -> None:
    trades: list[Trade] = []
    held = moved = D(0)
    for place, side, wished, price in [*wishes, (0, Side.SELL, D(1000), D(777))]:
        quantity = wished if side is Side.BUY else min(wished, held)
        if quantity:
            trades.append((place, side, str(quantity), str(price)))
            held += quantity * side.sign
            moved -= quantity * side.sign * price + 1

    outcomes = settle(trades)

    assert Unsettled() not in outcomes
    made = sum((one.net for one in outcomes if isinstance(one, Closed)), D(0))
    assert abs(made - moved) < D("0.0000001")
