"""What the gate leaves at the venue when it is told to stop: no entry, every stop (X5)."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from gate_builders import BTC, NOW, D, approved_on

from gpt_trader.contracts.ids import ClientOrderId, VenueOrderId
from gpt_trader.contracts.orders import OrderStatus
from gpt_trader.contracts.signals import Side
from gpt_trader.risk_gate.domain.consequences import halted
from gpt_trader.risk_gate.domain.records import CauseRaised
from gpt_trader.risk_gate.domain.trading_state import CauseCode
from gpt_trader.risk_gate.domain.venue import Balance, CancelOutcome, VenueOrder
from gpt_trader.risk_gate.ports import VenueUnavailable
from gpt_trader.risk_gate.service.ledger import Ledger
from gpt_trader.risk_gate.service.order_stop import OrderStop


class Said:
    """Nothing is held back."""

    @asynccontextmanager
    async def holding_back(self) -> AsyncIterator[None]:
        yield

    async def publish_state(self) -> None:
        raise AssertionError("a clean stop is no acknowledgement of a kill")


@dataclass(slots=True)
class FakeVenue:
    """Lists what it is given; keeps what it was asked to cancel."""

    orders: tuple[VenueOrder, ...] = ()
    is_down: bool = False
    canceled: list[VenueOrderId] = field(default_factory=list)

    async def open_orders(self) -> tuple[VenueOrder, ...]:
        if self.is_down:
            raise VenueUnavailable("no answer")
        return self.orders

    async def accounts(self) -> tuple[Balance, ...]:
        return ()

    async def cancel(self, venue_order_ids: Sequence[VenueOrderId]) -> tuple[CancelOutcome, ...]:
        self.canceled += venue_order_ids
        return ()


def listed(client_order_id: str, side: Side) -> VenueOrder:
    return VenueOrder(
        client_order_id=ClientOrderId(client_order_id),
        venue_order_id=VenueOrderId(f"venue-{client_order_id}"),
        product=BTC,
        side=side,
        status=OrderStatus.OPEN,
        quantity=D(1),
        filled_quantity=D(0),
        limit_price=D(50000),
        observed_at=NOW,
    )


async def test_a_gate_that_goes_cancels_its_open_entries_and_nothing_else(ledger: Ledger) -> None:
    entry = approved_on(ledger).client_order_id
    venue = FakeVenue(orders=(listed(entry, Side.BUY), listed("a-stop", Side.SELL)))

    await OrderStop(ledger=ledger, venue=venue, publisher=Said()).cancel_entries()

    assert venue.canceled == [f"venue-{entry}"]


async def test_a_gate_without_an_entry_asks_for_nothing_when_it_goes(ledger: Ledger) -> None:
    venue = FakeVenue(orders=(listed("a-stop", Side.SELL),), is_down=True)

    await OrderStop(ledger=ledger, venue=venue, publisher=Said()).cancel_entries()

    assert venue.canceled == []


async def test_a_venue_that_does_not_answer_does_not_keep_the_gate_from_going(ledger: Ledger) -> None:
    approved_on(ledger)
    venue = FakeVenue(is_down=True)

    await OrderStop(ledger=ledger, venue=venue, publisher=Said()).cancel_entries()

    assert venue.canceled == []


async def test_a_dry_run_cancels_nothing_for_no_order_there_is_its_own(ledger: Ledger) -> None:
    venue = FakeVenue(orders=(listed("by-hand", Side.BUY),))

    await OrderStop(ledger=ledger, venue=venue, publisher=Said(), is_dry_run=True).cancel_all()

    assert venue.canceled == []


async def test_a_dry_run_leaves_what_an_earlier_run_left_there_also_when_it_goes(ledger: Ledger) -> None:
    venue = FakeVenue(orders=(listed(approved_on(ledger).client_order_id, Side.BUY),))

    await OrderStop(ledger=ledger, venue=venue, publisher=Said(), is_dry_run=True).cancel_entries()

    assert venue.canceled == []


async def test_a_kill_on_top_of_another_halt_is_acted_on_again(ledger: Ledger) -> None:
    for code in (CauseCode.VENUE_FAILING, CauseCode.KILL):
        ledger.halted.clear()

        ledger.commit(CauseRaised(cause=halted(code, "", NOW), at=NOW))

        assert ledger.halted.is_set(), code
