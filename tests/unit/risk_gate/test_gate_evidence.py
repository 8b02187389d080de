"""What nobody reports is decided by the venue's complete lists, and by nothing less."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from gate_builders import (
    BTC,
    CREATE_LIFE,
    FUTURE,
    NOW,
    ZERO_HASH,
    D,
    FixedClock,
    a_fill,
    a_policy,
    a_request,
    a_state,
    an_order_event,
    approved,
    with_event,
    with_fill,
)

from gpt_trader.contracts import subjects
from gpt_trader.contracts.account import TradingStatus
from gpt_trader.contracts.ids import ClientOrderId, FillId, VenueOrderId
from gpt_trader.contracts.intents import ApprovedIntent
from gpt_trader.contracts.orders import FillKind, Liquidity, OrderStatus
from gpt_trader.contracts.signals import Side
from gpt_trader.risk_gate.domain import commands
from gpt_trader.risk_gate.domain.evidence import Listing, order_told, undecided
from gpt_trader.risk_gate.domain.gate import evolve, folded
from gpt_trader.risk_gate.domain.records import FillReported, InquiryEnded, OrderReported, PermitLogged, Record, parse
from gpt_trader.risk_gate.domain.state import GateState
from gpt_trader.risk_gate.domain.trading_state import standing
from gpt_trader.risk_gate.domain.venue import VenueFill, VenueOrder, VenueTransfer
from gpt_trader.risk_gate.ports import VenueUnavailable
from gpt_trader.risk_gate.service.ledger import Ledger
from gpt_trader.risk_gate.service.lookout import Lookout
from gpt_trader.runtime.journal import Journal

POLICY = a_policy()
FENCE = timedelta(seconds=52)
SECOND = timedelta(seconds=1)


def let_out(at: datetime = NOW) -> tuple[GateState, ApprovedIntent]:
    state, intent = approved(a_state(POLICY), POLICY, a_request())
    permit = PermitLogged(client_order_id=intent.client_order_id, body_sha256=ZERO_HASH, origin_ns=None, at=at)
    return evolve(state, permit), intent


def an_order(client_order_id: str = "other", status: OrderStatus = OrderStatus.FILLED, filled: str = "0") -> VenueOrder:
    return VenueOrder(
        client_order_id=ClientOrderId(client_order_id),
        venue_order_id=VenueOrderId(f"venue-of-{client_order_id}"),
        product=BTC,
        side=Side.BUY,
        status=status,
        quantity=D("0.001"),
        filled_quantity=D(filled),
        limit_price=D(50000),
        observed_at=NOW,
    )


def listed(*orders: VenueOrder, after: timedelta = FENCE, since: datetime = NOW - timedelta(minutes=10)) -> Listing:
    return Listing(since=since, began_at=NOW + after, fence=FENCE, orders=orders)


def told(state: GateState, intent: ApprovedIntent, listing: Listing) -> GateState:
    kept = state.approvals[intent.client_order_id]
    return folded(order_told(kept, listing, state, NOW + 2 * FENCE), state)


def asked(state: GateState) -> GateState:
    payload = b'{"reason": "the executor is gone"}'
    return evolve(state, commands.received(subjects.CONTROL_RESET, payload, 7, state, NOW))


def test_an_order_is_dead_only_once_a_listing_after_its_life_lacks_it_and_then_nothing_stays_reserved() -> None:
    state, intent = let_out()
    own = intent.client_order_id

    assert told(state, intent, listed(an_order(), after=FENCE - timedelta(microseconds=1))) == state
    assert told(state, intent, listed(an_order(), since=NOW + SECOND)) == state
    (dead,) = order_told(state.approvals[own], listed(an_order()), state, NOW + FENCE)
    after = evolve(state, dead)

    assert (dead.event.status, dead.event.reason) == (OrderStatus.FAILED, "absent_at_venue")
    assert "1 orders of every status" in dead.evidence
    assert not after.approvals
    assert with_fill(after, a_fill(intent, "0.001")).portfolio.quantity(BTC) == D("0.001")


def test_an_order_that_the_venue_had_confirmed_is_declared_dead_only_when_an_operator_asks() -> None:
    state, intent = let_out()
    confirmed = with_event(state, an_order_event(intent, OrderStatus.OPEN))

    assert told(confirmed, intent, listed()) == confirmed
    (dead,) = order_told(confirmed.approvals[intent.client_order_id], listed(), asked(confirmed), NOW + FENCE)

    assert dead.event.status is OrderStatus.FAILED
    assert "as command 7 asked: the executor is gone" in dead.evidence


@pytest.mark.parametrize("status", [OrderStatus.FILLED, OrderStatus.CANCELED, OrderStatus.OPEN])
def test_an_order_that_is_listed_is_what_the_listing_says_and_waits_for_its_fills(status: OrderStatus) -> None:
    state, intent = let_out()
    found = replace(an_order(intent.client_order_id, status, "0.0004"), quantity=intent.quantity)

    after = told(state, intent, listed(found))

    kept = after.approvals[intent.client_order_id]
    assert (kept.status, kept.reported, kept.venue_order_id) == (status, D("0.0004"), found.venue_order_id)
    assert told(after, intent, listed(found)) == after
    counted = with_fill(after, a_fill(intent, "0.0004"))
    assert (intent.client_order_id in counted.approvals) is (status is OrderStatus.OPEN)


@pytest.mark.parametrize(
    "change",
    [{"product": FUTURE}, {"side": Side.SELL}, {"quantity": D(10**6)}, {"status": OrderStatus.UNKNOWN}],
)
def test_an_order_under_the_id_that_is_not_what_was_approved_proves_nothing(change: dict[str, object]) -> None:
    state, intent = let_out()
    found = replace(an_order(intent.client_order_id), **change)  # type: ignore[arg-type]  # one field of its own type

    assert told(state, intent, listed(found)) == state


def test_nobody_is_asked_while_the_executor_may_still_answer_and_an_operator_does_not_wait_for_it() -> None:
    state, intent = let_out()
    known = with_event(state, an_order_event(intent, OrderStatus.OPEN))
    drifted = replace(known, order_drifts={intent.client_order_id: POLICY.reconcile.order_drifts})

    assert undecided(state, POLICY, NOW - SECOND) == ()
    assert [kept.client_order_id for kept in undecided(state, POLICY, NOW)] == [intent.client_order_id]
    assert undecided(known, POLICY, NOW) == ()
    assert len(undecided(drifted, POLICY, NOW)) == 1
    assert len(undecided(asked(state), POLICY, NOW - SECOND)) == 1


class ListedHistory:
    """The venue's lists as a test wants them; `is_down` = they can't be read."""

    def __init__(self) -> None:
        self.orders: list[VenueOrder] = []
        self.fills: list[VenueFill] = []
        self.is_down = False

    async def fills_since(self, _start: datetime) -> tuple[VenueFill, ...]:
        return tuple(self.fills)

    async def orders_since(self, _start: datetime) -> tuple[VenueOrder, ...]:
        if self.is_down:
            raise VenueUnavailable("no answer")
        return tuple(self.orders)

    async def order(self, venue_order_id: VenueOrderId) -> VenueOrder:
        return next(one for one in self.orders if one.venue_order_id == venue_order_id)

    async def transfers(self, _currency: str, _since: datetime) -> tuple[VenueTransfer, ...]:
        return ()


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
def history() -> ListedHistory:
    return ListedHistory()


@pytest.fixture
def lookout(history: ListedHistory, clock: FixedClock, tmp_path: Path) -> Iterator[Lookout]:
    state, _ = let_out()
    journal = Journal.open(tmp_path / "gate.jsonl")
    ledger = Ledger(journal=journal, state=state, policy=POLICY, clock=clock, create_life=CREATE_LIFE)
    with journal:
        yield Lookout(ledger=ledger, history=history, listed_within=timedelta(seconds=30))


def written(lookout: Lookout) -> list[Record]:
    return [parse(entry.payload) for entry in lookout.ledger.journal.entries()]


def its_order(lookout: Lookout) -> ClientOrderId:
    return next(iter(lookout.ledger.state.approvals))


def an_execution(order: VenueOrder, at: datetime) -> VenueFill:
    return VenueFill(
        fill_id=FillId("lost"),
        trade_id="t-lost",
        venue_order_id=order.venue_order_id,
        product=BTC,
        side=Side.BUY,
        kind=FillKind.FILL,
        quantity=D("0.0004"),
        price=D(50000),
        fee=D("0.1"),
        liquidity=Liquidity.TAKER,
        occurred_at=at,
    )


async def test_a_lost_order_is_decided_by_itself_after_the_executors_time_and_not_on_a_broken_list(
    lookout: Lookout, history: ListedHistory, clock: FixedClock
) -> None:
    ledger = lookout.ledger
    clock.at = NOW + timedelta(seconds=89)
    await lookout.saw(())
    early = ledger.state.approvals
    clock.at = NOW + timedelta(seconds=91)
    history.is_down = True
    with pytest.raises(VenueUnavailable):
        await lookout.saw(())
    broken = ledger.state.approvals
    history.is_down = False
    await lookout.saw(())

    assert len(early) == len(broken) == 1
    assert not ledger.state.approvals


async def test_a_listing_that_lacks_an_order_known_to_be_open_proves_nothing(
    lookout: Lookout, clock: FixedClock
) -> None:
    clock.at = NOW + timedelta(seconds=91)
    own = its_order(lookout)

    await lookout.saw((an_order(own, OrderStatus.OPEN),))

    assert own in lookout.ledger.state.approvals


async def test_an_operator_has_the_lists_decide_at_once_and_is_answered(lookout: Lookout, clock: FixedClock) -> None:
    ledger = lookout.ledger
    ledger.commit(commands.received(subjects.CONTROL_RESET, b'{"reason": "gone"}', 3, ledger.state, NOW))
    clock.at = NOW + FENCE - SECOND
    await lookout.saw(())
    waiting = ledger.state
    clock.at = NOW + FENCE
    await lookout.saw(())

    assert waiting.inquiry is not None
    assert len(waiting.approvals) == 1
    assert (ledger.state.inquiry, len(ledger.state.approvals)) == (None, 0)
    assert [type(one) for one in written(lookout)[-2:]] == [OrderReported, InquiryEnded]


@pytest.mark.parametrize("is_asked", [True, False])
async def test_a_lost_fill_counts_on_the_venues_word_once_the_executor_had_its_time_or_an_operator_asks(
    lookout: Lookout, history: ListedHistory, clock: FixedClock, *, is_asked: bool
) -> None:
    ledger = lookout.ledger
    order = replace(an_order(its_order(lookout), OrderStatus.CANCELED, "0.0004"))
    history.orders, history.fills = [order], [an_execution(order, NOW)]
    clock.at = NOW + 10 * SECOND
    is_complete = await lookout.saw(())
    restricted = standing(ledger.state.causes, None, clock.at).status
    if is_asked:
        ledger.commit(commands.received(subjects.CONTROL_RESET, b'{"reason": "gone"}', 3, ledger.state, clock.at))
    else:
        clock.at = NOW + timedelta(seconds=91)
    is_complete_now = await lookout.saw(())
    again = await lookout.saw(())

    assert (is_complete, is_complete_now, again) == (False, True, True)
    assert restricted is TradingStatus.REDUCE_ONLY
    assert standing(ledger.state.causes, None, clock.at).status is TradingStatus.ACTIVE
    assert ledger.state.portfolio.quantity(BTC) == D("0.0004")
    assert ledger.state.portfolio.holdings[BTC].strategy == "trend"
    assert not ledger.state.approvals
    counted = [one for one in written(lookout) if isinstance(one, FillReported)]
    assert ["the venue's executions" in one.evidence for one in counted] == [True]
