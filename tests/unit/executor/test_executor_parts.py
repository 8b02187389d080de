"""The shell's parts against a venue in memory: what can't be brought about from outside in reasonable time."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import requests
from typing_extensions import override

from gpt_trader.contracts.account import TradingStatus
from gpt_trader.contracts.forms import OrderForm
from gpt_trader.contracts.ids import FillId, IntentId, VenueOrderId
from gpt_trader.contracts.intents import ApprovedIntent, CancelIntent, Purpose, SignedIntent
from gpt_trader.contracts.message import Message
from gpt_trader.contracts.orders import Fill, FillKind, Liquidity, OrderEvent, OrderStatus
from gpt_trader.contracts.signals import Side
from gpt_trader.executor.adapters.coinbase_exchange import exchange
from gpt_trader.executor.adapters.egress_client import EgressClient
from gpt_trader.executor.adapters.metrics import PrometheusMeasurements
from gpt_trader.executor.domain.permission import Permission
from gpt_trader.executor.domain.records import CancelWanted
from gpt_trader.executor.domain.submission import Created, CreateReply, Declined, Silence
from gpt_trader.executor.domain.venue import Fence, VenueFill, VenueOrder
from gpt_trader.executor.ports import ExchangeUnavailable
from gpt_trader.executor.service.books import Books
from gpt_trader.executor.service.following import Follower
from gpt_trader.executor.service.intake import Intake
from gpt_trader.executor.service.placing import Placer
from gpt_trader.executor.service.recalling import Recaller
from gpt_trader.executor.service.reconciling import Reconciler
from gpt_trader.executor.service.reporting import Reporter
from gpt_trader.executor.service.terms import Terms
from gpt_trader.runtime.bus import BusUnavailable, Received
from gpt_trader.runtime.journal import Journal

pytestmark = pytest.mark.timeout(20)

NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)
Intents = Callable[..., ApprovedIntent]


@dataclass(slots=True)
class FakeClock:
    at: datetime = NOW

    def now(self) -> datetime:
        return self.at

    def wall(self) -> datetime:
        return self.at

    def stretch(self, wall: timedelta) -> timedelta:
        return wall


@dataclass(slots=True)
class FakeBus:
    stored: dict[str, Message] = field(default_factory=dict)

    async def store(self, _subject: str, message: Message, *, message_id: str) -> int:
        assert message_id not in self.stored
        self.stored[message_id] = message
        return len(self.stored)


@dataclass(slots=True)
class FakeStreams:
    """What the bus holds of approvals, steps and fills."""

    kept: dict[str, list[Received]] = field(default_factory=dict)
    unreadable: str = ""

    def approved(self, *intents: ApprovedIntent) -> None:
        self.kept["INTENTS"] = [delivery(intent) for intent in intents]

    def told(self, *reports: Message) -> None:
        for report in reports:
            stream = "FILLS" if isinstance(report, Fill) else "ORDERS"
            self.kept.setdefault(stream, []).append(Received(f"{stream.lower()}.BTC-USD", report.encode(), sequence=1))

    async def last(self, stream: str, _subject: str) -> Received | None:
        return self.kept[stream][-1]

    async def history(self, stream: str, *, subject_filter: str, start_time: datetime) -> AsyncIterator[Received]:
        assert subject_filter.startswith(stream.lower())
        assert start_time < NOW
        if stream == self.unreadable:
            raise BusUnavailable(stream)
        for received in self.kept.get(stream, []):
            yield received


def delivery(intent: ApprovedIntent) -> Received:
    signed = SignedIntent(payload=intent.encode().decode(), key_id="gate", signature="")
    return Received("intents.approved.BTC-USD", signed.encode(), sequence=intent.stream_sequence)


@dataclass(slots=True)
class FakeExchange:
    """Holds orders and fills; keeps what it was asked to do, in order."""

    orders: dict[VenueOrderId, VenueOrder] = field(default_factory=dict)
    fills: list[VenueFill] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    reply: CreateReply = field(default_factory=lambda: Silence(detail="timeout"))
    is_down: bool = False
    lost_cancels: list[str] = field(default_factory=list)
    listed_since: list[datetime] = field(default_factory=list)

    def binds(self, intent: ApprovedIntent) -> bool:
        return intent.client_order_id in intent.body

    async def create(self, intent: ApprovedIntent) -> CreateReply:
        self.asked.append(f"create {intent.client_order_id}")
        return self.reply

    async def cancel(self, orders: Sequence[VenueOrderId]) -> None:
        await asyncio.sleep(0.02)
        self.asked += [f"cancel {one}" for one in orders]
        lost = self.lost_cancels.pop(0) if self.lost_cancels else ""
        if lost != "request":
            working = [one for one in orders if self.orders[one].status == OrderStatus.OPEN]
            self.orders |= {one: replace(self.orders[one], status=OrderStatus.CANCELED) for one in working}
        if lost:
            raise ExchangeUnavailable(f"the {lost} was lost")

    async def order(self, venue_order_id: VenueOrderId) -> VenueOrder | None:
        return self.orders.get(venue_order_id)

    async def orders_since(self, start: datetime) -> Sequence[VenueOrder]:
        self.listed_since.append(start)
        if self.is_down:
            raise ExchangeUnavailable("orders: page 2 failed")
        return list(self.orders.values())

    async def open_orders(self) -> Sequence[VenueOrder]:
        return [one for one in self.orders.values() if one.status == OrderStatus.OPEN]

    async def fills_of(self, venue_order_id: VenueOrderId) -> Sequence[VenueFill]:
        return [one for one in self.fills if one.venue_order_id == venue_order_id]

    async def fills_since(self, _start: datetime) -> Sequence[VenueFill]:
        return self.fills


@dataclass(slots=True, kw_only=True)
class Parts:
    clock: FakeClock
    bus: FakeBus
    venue: FakeExchange
    books: Books
    intake: Intake
    recaller: Recaller
    follower: Follower
    placer: Placer
    reconciler: Reconciler

    async def take(self, intent: ApprovedIntent) -> None:
        before = self.books.ledger.links.get(intent.stream_sequence - 1)
        chained = intent if before is None else intent.model_copy(update={"previous_hash": before})
        await self.deliver(chained)

    async def take_back(self, intent: ApprovedIntent) -> None:
        """Deliver the gate's wish to cancel an order."""
        sequence = max(self.books.ledger.links) + 1
        wish = CancelIntent(
            intent_id=IntentId(f"cancel-{sequence}"),
            epoch=1,
            stream_sequence=sequence,
            previous_hash=self.books.ledger.links[sequence - 1],
            product="BTC-USD",
            client_order_id=intent.client_order_id,
            venue_order_id=None,
            reason="an exit goes first",
            approved_at=NOW,
        )
        signed = SignedIntent(payload=wish.encode().decode(), key_id="gate", signature="")
        await self.intake.on_intent(Received("intents.cancel.BTC-USD", signed.encode(), sequence=sequence))

    async def deliver(self, intent: ApprovedIntent) -> None:
        await self.intake.on_intent(delivery(intent))

    async def rest(self, seconds: float = 0.05) -> None:
        await asyncio.sleep(seconds)

    def life(self) -> list[tuple[str, str]]:
        return [(one.status, one.reason) for one in self.bus.stored.values() if isinstance(one, OrderEvent)]

    def alerts(self) -> list[str]:
        return [name.split(":")[1] for name in self.bus.stored if name.startswith("executor:")]


@pytest.fixture
def journal(tmp_path: Any) -> Iterator[Journal]:
    with Journal.open(tmp_path / "executor.journal") as opened:
        yield opened


@asynccontextmanager
async def running(journal: Journal, venue: FakeExchange, opened_at: datetime = NOW) -> AsyncIterator[Parts]:
    clock, bus, measurements = FakeClock(opened_at), FakeBus(), PrometheusMeasurements()
    fence = Fence(token_life=timedelta(seconds=15), clock_bound=timedelta(seconds=2), visibility=timedelta(seconds=30))
    terms = Terms(
        fence=fence,
        reconcile_every=timedelta(seconds=60),
        resolve_every=timedelta(seconds=1),
        state_max_age=timedelta(seconds=3),
        cancels_entries_on_exit=True,
        drain_within=timedelta(seconds=1),
    )
    books = Books.open(journal, clock, measurements)
    clock.at = NOW
    reporter = Reporter(books=books, bus=bus, clock=clock, measurements=measurements)
    async with asyncio.TaskGroup() as group:
        follower = Follower(books=books, exchange=venue, reporter=reporter, clock=clock, group=group)
        reconciler = Reconciler(
            books=books, exchange=venue, follower=follower, reporter=reporter, clock=clock, terms=terms
        )
        placer = Placer(
            books=books, submission=venue, follower=follower, measurements=measurements, clock=clock,
            state_max_age=terms.state_max_age, doubt=reconciler.doubt, group=group,
        )  # fmt: skip
        intake = Intake(
            books=books, placer=placer, follower=follower, reporter=reporter, submission=venue,
            measurements=measurements, clock=clock, is_authentic=lambda *_: True, group=group,
        )  # fmt: skip
        recaller = Recaller(
            books=books, intake=intake, placer=placer, measurements=measurements, clock=clock, terms=terms
        )
        serving = group.create_task(reporter.serve())
        yield Parts(
            clock=clock,
            bus=bus,
            venue=venue,
            books=books,
            intake=intake,
            recaller=recaller,
            follower=follower,
            placer=placer,
            reconciler=reconciler,
        )
        serving.cancel()


def at_venue(
    intent: ApprovedIntent, status: OrderStatus = OrderStatus.OPEN, filled: str = "0", number: int = 1
) -> VenueOrder:
    return VenueOrder(
        venue_order_id=VenueOrderId(f"venue-{number}"),
        client_order_id=intent.client_order_id,
        product="BTC-USD",
        status=status,
        filled_quantity=Decimal(filled),
        reason="",
        created_at=NOW,
        updated_at=NOW,
    )


def venue_fill(quantity: str, number: int = 1) -> VenueFill:
    return VenueFill(
        fill_id=FillId(f"entry-{number}"),
        trade_id=f"trade-{number}",
        venue_order_id=VenueOrderId("venue-1"),
        product="BTC-USD",
        side=Side.BUY,
        kind=FillKind.FILL,
        quantity=Decimal(quantity),
        price=Decimal(100),
        fee=Decimal("0.1"),
        liquidity=Liquidity.TAKER,
        occurred_at=NOW,
    )


async def test_after_a_lost_journal_an_old_approval_is_doubted_not_declared_dead(
    an_approval: Intents, journal: Journal
) -> None:
    intent = an_approval()
    venue = FakeExchange(
        orders={VenueOrderId("venue-1"): at_venue(intent, OrderStatus.FILLED, "1")}, fills=[venue_fill("1")]
    )

    async with running(journal, venue, opened_at=NOW + timedelta(seconds=60)) as parts:
        parts.clock.at = NOW + timedelta(seconds=60)
        await parts.take(intent)
        await parts.reconciler.reconcile()
        await parts.rest()

        assert parts.life() == [("unknown", "before_journal"), ("open", ""), ("filled", "")]
    assert not any(word.startswith("create") for word in venue.asked)


async def test_half_a_listing_proves_nothing(an_approval: Intents, journal: Journal) -> None:
    async with running(journal, FakeExchange(is_down=True), opened_at=NOW + timedelta(seconds=1)) as parts:
        await parts.take(an_approval())
        parts.clock.at = NOW + timedelta(hours=1)
        with pytest.raises(ExchangeUnavailable):
            await parts.reconciler.resolve()
        assert [order.status for order in parts.books.ledger.living()] == [OrderStatus.UNKNOWN]

        parts.venue.is_down = False
        await parts.reconciler.resolve()
        await parts.rest()

        assert parts.life()[-1] == ("failed", "absent_at_venue")


async def test_a_dead_order_that_lives_is_alarmed_canceled_and_its_fills_counted(
    an_approval: Intents, journal: Journal
) -> None:
    intent = an_approval()
    async with running(journal, FakeExchange()) as parts:
        await parts.take(intent)
        await parts.rest()
        assert parts.life() == [("failed", "trading_state_unheard")]

        parts.venue.orders[VenueOrderId("venue-1")] = at_venue(intent, OrderStatus.OPEN, "0.5")
        parts.venue.fills.append(venue_fill("0.5"))
        await parts.reconciler.reconcile()
        await parts.rest()

        assert parts.alerts() == ["order_contradicts"]
        assert parts.venue.asked == ["cancel venue-1"]
        assert [one.quantity for one in parts.bus.stored.values() if isinstance(one, Fill)] == [Decimal("0.5")]
        assert len(parts.life()) == 1


async def test_an_order_ends_only_when_its_fills_add_up(an_approval: Intents, journal: Journal) -> None:
    intent = an_approval()
    async with running(journal, FakeExchange(), opened_at=NOW + timedelta(seconds=1)) as parts:
        await parts.take(intent)
        parts.venue.orders[VenueOrderId("venue-1")] = at_venue(intent, OrderStatus.CANCELED, "0.75")
        parts.venue.fills.append(venue_fill("0.5"))
        await parts.reconciler.resolve()
        await parts.rest()
        assert [status for status, _ in parts.life()] == ["unknown", "open", "partially_filled"]

        parts.venue.fills.append(venue_fill("0.25", 2))
        await parts.rest(0.4)

        assert parts.life()[-1] == ("canceled", "")
        assert parts.books.order(intent.client_order_id).done.quantity == Decimal("0.75")


async def test_a_create_waits_until_wanted_cancels_were_sent(an_approval: Intents, journal: Journal) -> None:
    first, second = an_approval(1, approved_at=NOW - timedelta(seconds=1)), an_approval(2)
    async with running(journal, FakeExchange()) as parts:
        await parts.take(first)
        parts.venue.orders[VenueOrderId("venue-1")] = at_venue(first)
        await parts.reconciler.resolve()
        parts.intake.placer.permission = Permission(status=TradingStatus.ACTIVE, heard_at=NOW)

        parts.books.record(CancelWanted(client_order_id=first.client_order_id, at=NOW))
        parts.follower.cancel(first.client_order_id)
        await parts.take(second)
        await parts.rest(0.2)

        assert parts.venue.asked == ["cancel venue-1", f"create {second.client_order_id}"]
        assert parts.life()[-1] == ("unknown", "no_answer")


async def test_an_order_is_looked_at_when_it_should_have_ended_also_if_nobody_says_so(
    an_approval: Intents, journal: Journal
) -> None:
    intent = an_approval(form=OrderForm.LIMIT_GTD, post_only=True, end_time=NOW + timedelta(seconds=0.3))
    async with running(journal, FakeExchange()) as parts:
        await resting(parts, intent)

        parts.venue.orders[VenueOrderId("venue-1")] = at_venue(intent, OrderStatus.EXPIRED, "0.25")
        parts.venue.fills.append(venue_fill("0.25"))
        await parts.rest(0.5)

        assert parts.life()[-1] == ("expired", "")
        assert parts.books.order(intent.client_order_id).done.quantity == Decimal("0.25")


async def resting(parts: Parts, stop: ApprovedIntent) -> None:
    """Have a stop accepted, and waiting at the venue."""
    trades(parts.placer)
    parts.venue.reply = Created(venue_order_id=VenueOrderId("venue-1"), client_order_id=stop.client_order_id)
    parts.venue.orders[VenueOrderId("venue-1")] = at_venue(stop)
    await parts.take(stop)
    await parts.rest()
    assert parts.life()[-1][0] == "open"


def a_stop(an_approval: Intents, **changes: Any) -> ApprovedIntent:
    return an_approval(
        purpose=Purpose.PROTECTIVE, form=OrderForm.STOP_LIMIT_GTC, stop_price=Decimal(105), **changes
    )  # fmt: skip


@pytest.mark.parametrize("lost", [[], ["answer"], ["request"], ["request", "answer"]])
async def test_a_stop_that_is_taken_back_ends_once_whatever_is_lost_on_the_way(
    an_approval: Intents, journal: Journal, lost: list[str]
) -> None:
    stop = a_stop(an_approval)
    async with running(journal, FakeExchange(lost_cancels=list(lost))) as parts:
        await resting(parts, stop)

        await parts.take_back(stop)
        await parts.take_back(stop)
        await parts.rest(0.8)

        assert [status for status, _ in parts.life()] == ["submitting", "open", "canceled"]
        assert parts.books.order(stop.client_order_id).is_terminal
    assert len([word for word in parts.venue.asked if word.startswith("create")]) == 1


async def test_a_stop_that_fills_before_it_can_be_canceled_is_counted(an_approval: Intents, journal: Journal) -> None:
    stop = a_stop(an_approval)
    async with running(journal, FakeExchange()) as parts:
        await resting(parts, stop)
        parts.venue.orders[VenueOrderId("venue-1")] = at_venue(stop, OrderStatus.FILLED, "1")
        parts.venue.fills.append(venue_fill("1"))

        await parts.take_back(stop)
        await parts.rest(0.4)

        assert parts.life()[-1][0] == "filled"
        assert [one.quantity for one in parts.bus.stored.values() if isinstance(one, Fill)] == [Decimal(1)]


async def test_a_stop_that_is_taken_back_before_it_is_sent_never_exists(an_approval: Intents, journal: Journal) -> None:
    stop = a_stop(an_approval)
    async with running(journal, FakeExchange()) as parts:
        parts.follower.cancels_sent.clear()
        trades(parts.placer)

        await parts.take(stop)
        await parts.take_back(stop)
        parts.follower.cancels_sent.set()
        await parts.rest()

        assert parts.life()[-1] == ("failed", "canceled_before_sending")
    assert parts.venue.asked == []


async def test_a_stop_that_rests_for_weeks_makes_no_listing_longer(an_approval: Intents, journal: Journal) -> None:
    stop = a_stop(an_approval)
    async with running(journal, FakeExchange()) as parts:
        await resting(parts, stop)

        parts.clock.at = NOW + timedelta(days=30)
        await parts.reconciler.reconcile()

        assert min(parts.venue.listed_since) > NOW + timedelta(days=29)
        assert parts.life()[-1][0] == "open"


class _Silent(requests.adapters.HTTPAdapter):
    def __init__(self) -> None:
        super().__init__()
        self.sent = 0

    @override
    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        self.sent += 1
        raise requests.ConnectionError(f"{request.method} refused")


class _Quick:
    """A generator that is asked for bounds and always draws the lower one."""

    def __init__(self) -> None:
        self.bounds: list[tuple[float, float]] = []

    def uniform(self, low: float, high: float) -> float:
        self.bounds.append((low, high))
        return low


async def test_reads_are_tried_three_times_with_full_jitter_and_creates_once(
    an_approval: Intents, tmp_path: Any
) -> None:
    client, wire, rng = EgressClient("127.0.0.1:1", tmp_path / "ca.pem", 1), _Silent(), _Quick()
    client.session.mount("https://", wire)

    with exchange(client, rng, PrometheusMeasurements()) as venue:  # type: ignore[arg-type] # draws like Random
        with pytest.raises(ExchangeUnavailable):
            await venue.orders_since(NOW)
        reads, bounds = wire.sent, rng.bounds
        reply = await venue.create(an_approval())

    assert (reads, bounds) == (3, [(0, 1.0), (0, 2.0)])
    assert wire.sent == reads + 1
    assert isinstance(reply, Silence)


def trades(placer: Placer) -> None:
    placer.permission = Permission(status=TradingStatus.ACTIVE, heard_at=NOW)


def kinds(journal: Journal) -> list[str]:
    return [entry.kind for entry in journal.entries()]


async def test_an_approval_and_its_attempt_are_written_at_once(an_approval: Intents, journal: Journal) -> None:
    async with running(journal, FakeExchange(reply=Declined(reason="no"))) as parts:
        trades(parts.placer)

        await parts.take(an_approval())
        at_once = kinds(journal)
        await parts.rest()

    assert at_once == ["opened", "link_seen", "intent_seen", "submitting"]
    assert "rejected" in kinds(journal)


async def test_that_a_report_was_said_costs_no_write_of_its_own_while_others_follow_and_is_never_forgotten(
    an_approval: Intents, journal: Journal
) -> None:
    venue = FakeExchange(reply=Declined(reason="no"))
    async with running(journal, venue) as parts:
        trades(parts.placer)
        await parts.take(an_approval())
        while parts.books.ledger.unsaid or not parts.placer.is_idle:  # noqa: ASYNC110 - the reporter says when
            await asyncio.sleep(0)
        before = kinds(journal)
        await parts.take(an_approval(2))
        taken_along = kinds(journal)[len(before) :]
        await asyncio.sleep(0.2)
        settled = kinds(journal)

    assert "reported" not in before[-1:]
    assert taken_along[:2] == ["reported", "link_seen"]
    assert settled[-1] == "reported"
    assert Books.open(journal, FakeClock(), PrometheusMeasurements()).ledger.unsaid == {}


async def test_a_kill_between_the_write_and_the_request_still_stops_it(an_approval: Intents, journal: Journal) -> None:
    venue = FakeExchange()
    async with running(journal, venue) as parts:
        trades(parts.placer)

        await parts.take(an_approval())
        await parts.placer.on_kill(Received("control.kill", b""))
        await parts.rest()

        assert parts.life()[-1] == (OrderStatus.FAILED, "kill")
    assert venue.asked == []


async def test_an_approval_that_breaks_the_chain_is_reported_dead_and_raises_an_alert(
    an_approval: Intents, journal: Journal
) -> None:
    venue = FakeExchange()
    async with running(journal, venue) as parts:
        trades(parts.placer)

        await parts.take(an_approval(1))
        await parts.deliver(an_approval(2, previous_hash="a" * 64))
        await parts.rest()

        assert (OrderStatus.FAILED, "chain") in parts.life()
        assert parts.alerts() == ["intent_refused"]
    assert len(venue.asked) == 1


async def test_fills_are_counted_in_the_order_in_which_they_happened(an_approval: Intents, journal: Journal) -> None:
    intent = an_approval()
    venue = FakeExchange(orders={VenueOrderId("venue-1"): at_venue(intent, OrderStatus.FILLED, "1")})
    earlier = venue_fill("0.8", 1)
    later = replace(venue_fill("1", 2), kind=FillKind.CORRECTION, trade_id=earlier.trade_id)
    venue.fills = [later, earlier]
    async with running(journal, venue, NOW + timedelta(seconds=1)) as parts:
        await parts.take(intent)
        parts.clock.at = NOW + timedelta(seconds=60)
        await parts.reconciler.resolve()
        await parts.rest()

        told = [one.kind for one in parts.bus.stored.values() if isinstance(one, Fill)]
    assert told == [FillKind.FILL, FillKind.CORRECTION]


async def test_an_approval_that_the_stream_has_and_the_journal_lacks_is_looked_for_at_the_venue(
    an_approval: Intents, journal: Journal
) -> None:
    lost, fresh = an_approval(1), an_approval(2, expires_at=NOW + timedelta(minutes=5))
    venue = FakeExchange(
        orders={VenueOrderId("venue-1"): at_venue(lost, OrderStatus.FILLED, "1")}, fills=[venue_fill("1")]
    )
    async with running(journal, venue, NOW - timedelta(hours=1)) as parts:
        trades(parts.placer)
        parts.clock.at = NOW + timedelta(seconds=60)

        streams = FakeStreams()
        streams.approved(lost, lost, fresh)
        assert await parts.recaller.recall(streams)
        assert await parts.recaller.recall(streams)
        await parts.reconciler.resolve()
        await parts.rest()

        assert [parts.life()[0], parts.life()[-1]] == [
            (OrderStatus.UNKNOWN, "before_journal"),
            (OrderStatus.FILLED, ""),
        ]
        assert [one.quantity for one in parts.bus.stored.values() if isinstance(one, Fill)] == [Decimal(1)]
        assert fresh.client_order_id not in parts.books.ledger.orders
    assert venue.asked == []


async def told_of(intent: ApprovedIntent, folder: Any, *statuses: OrderStatus) -> list[Message]:
    """Return the reports of an executor that saw the order in these states of the venue, one after the other."""
    venue = FakeExchange(reply=Created(venue_order_id=VenueOrderId("venue-1"), client_order_id=intent.client_order_id))
    with Journal.open(folder / "lost.journal") as journal:
        async with running(journal, venue) as parts:
            trades(parts.placer)
            await parts.take(intent)
            await parts.rest()
            for status in statuses:
                await shown(parts, intent, status)
            told = list(parts.bus.stored.values())
            await shown(parts, intent, OrderStatus.FILLED)  # nobody follows it any more
            return told


async def shown(parts: Parts, intent: ApprovedIntent, status: OrderStatus) -> None:
    filled = "1" if status == OrderStatus.FILLED else "0"
    parts.venue.orders[VenueOrderId("venue-1")] = at_venue(intent, status, filled)
    parts.venue.fills = [venue_fill(filled)] if status == OrderStatus.FILLED else []
    await parts.reconciler.reconcile()
    await parts.rest()


async def test_what_the_bus_holds_of_an_order_is_not_said_again_by_an_executor_without_a_journal(
    an_approval: Intents, journal: Journal, tmp_path: Any
) -> None:
    intent = an_approval()
    told = await told_of(intent, tmp_path, OrderStatus.OPEN, OrderStatus.FILLED)
    venue = FakeExchange(
        orders={VenueOrderId("venue-1"): at_venue(intent, OrderStatus.FILLED, "1")}, fills=[venue_fill("1")]
    )
    streams = FakeStreams()
    streams.approved(intent)
    streams.told(*told)
    async with running(journal, venue, opened_at=NOW + timedelta(seconds=60)) as parts:
        parts.clock.at = NOW + timedelta(seconds=60)

        assert await parts.recaller.recall(streams)
        await parts.deliver(intent)
        await parts.reconciler.reconcile()
        await parts.rest()

        assert parts.bus.stored == {}
        assert list(parts.books.ledger.living()) == []

        venue.fills.append(replace(venue_fill("1", 2), kind=FillKind.REVERSAL, trade_id="trade-1"))
        await parts.reconciler.reconcile()
        await parts.rest()
        assert list(parts.bus.stored) == ["entry-2"], "what the venue says later of an ended order still counts"
    assert not any(word.startswith("create") for word in venue.asked)


async def test_an_order_that_the_bus_holds_as_open_is_followed_on_from_there(
    an_approval: Intents, journal: Journal, tmp_path: Any
) -> None:
    intent = an_approval()
    told = await told_of(intent, tmp_path, OrderStatus.OPEN)
    assert [one.revision for one in told if isinstance(one, OrderEvent)] == [1, 2]
    venue = FakeExchange(
        orders={VenueOrderId("venue-1"): at_venue(intent, OrderStatus.FILLED, "1")}, fills=[venue_fill("1")]
    )
    streams = FakeStreams()
    streams.approved(intent)
    streams.told(*told)
    async with running(journal, venue, opened_at=NOW + timedelta(seconds=60)) as parts:
        parts.clock.at = NOW + timedelta(seconds=60)

        assert await parts.recaller.recall(streams)
        await parts.reconciler.reconcile()
        await parts.rest()

        assert list(parts.bus.stored) == ["entry-1", f"{intent.client_order_id}:3"]
        assert parts.life() == [("filled", "")]


async def test_nothing_is_taken_over_while_another_executor_may_still_have_an_answer_to_report(
    an_approval: Intents, journal: Journal, tmp_path: Any
) -> None:
    intent = an_approval()
    submitting = (await told_of(intent, tmp_path))[0]
    streams = FakeStreams()
    streams.approved(intent)
    streams.told(submitting)
    async with running(journal, FakeExchange(), opened_at=NOW + timedelta(seconds=1)) as parts:
        parts.clock.at = NOW + timedelta(seconds=20) - timedelta(microseconds=1)
        assert not await parts.recaller.recall(streams)
        assert parts.books.ledger.orders == {}

        parts.clock.at = NOW + timedelta(seconds=20)
        assert await parts.recaller.recall(streams)
        await parts.rest()
        assert parts.life() == [("unknown", "before_journal")]
        assert list(parts.bus.stored) == [f"{intent.client_order_id}:2"]


@pytest.mark.parametrize("stream", ["INTENTS", "ORDERS", "FILLS"])
async def test_nothing_is_taken_over_while_what_was_reported_is_unreadable(
    an_approval: Intents, journal: Journal, stream: str
) -> None:
    streams = FakeStreams(unreadable=stream)
    streams.approved(an_approval())
    async with running(journal, FakeExchange(), opened_at=NOW + timedelta(seconds=60)) as parts:
        parts.clock.at = NOW + timedelta(seconds=60)
        with pytest.raises(BusUnavailable):
            await parts.recaller.recall(streams)

        assert parts.books.ledger.orders == {}
        assert parts.bus.stored == {}
