"""Crashes, lost answers, late permits and hidden orders in any interleaving: at most one venue order, equal books.

The venue has no idempotency: whatever reaches it becomes an order. The egress issues one permit per approval.
"""

import importlib.util
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from typing_extensions import override

from gpt_trader.contracts.ids import ClientOrderId, FillId, VenueOrderId
from gpt_trader.contracts.intents import ApprovedIntent
from gpt_trader.contracts.orders import Fill, FillKind, Liquidity, OrderEvent, OrderStatus
from gpt_trader.contracts.signals import Side
from gpt_trader.executor.domain import records, venue
from gpt_trader.executor.domain.ledger import Ledger, message_id
from gpt_trader.executor.domain.replay import recovered, replay
from gpt_trader.executor.domain.submission import Attempt, Created, CreateReply, ErrorStatus, Silence, classify
from gpt_trader.executor.domain.venue import Fence, VenueFill, VenueOrder

_builders = importlib.util.spec_from_file_location("executor_builders", Path(__file__).with_name("conftest.py"))
assert _builders is not None
assert _builders.loader is not None
builders = importlib.util.module_from_spec(_builders)
_builders.loader.exec_module(builders)

START = datetime(2026, 11, 2, 12, tzinfo=UTC)
TOKEN, CLOCK, VISIBLE = timedelta(seconds=15), timedelta(seconds=2), timedelta(seconds=30)
FENCE = Fence(token_life=TOKEN, clock_bound=CLOCK, visibility=VISIBLE)
INSTANT = timedelta(microseconds=1)
PART = Decimal("0.25")


@dataclass(slots=True)
class AtVenue:
    """An order at the venue; it is listed from `visible_at` on."""

    client_order_id: ClientOrderId
    venue_order_id: VenueOrderId
    visible_at: datetime
    status: OrderStatus = OrderStatus.OPEN
    fills: list[VenueFill] = field(default_factory=list)

    @property
    def filled(self) -> Decimal:
        return sum((one.quantity for one in self.fills), Decimal(0))


@dataclass(slots=True)
class Post:
    """A create on its way: the process may die, the request goes on."""

    intent: ApprovedIntent
    permit_before: datetime
    permitted_at: datetime | None = None
    reply: CreateReply | None = None


class OrderLives(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.wall = START
        self.ledger = Ledger()
        self.journal: list[records.Record] = []
        self.reports: list[OrderEvent | Fill] = []
        self.said_before = 0
        self.posts: list[Post] = []
        self.waiting: set[ClientOrderId] = set()
        self.orders: list[AtVenue] = []
        self.permits: list[ClientOrderId] = []
        self.terminal: dict[ClientOrderId, OrderStatus] = {}
        self.count = 0

    def record(self, *changes: records.Record) -> None:
        for change in changes:
            self.reports += self.ledger.apply(change)
            self.journal.append(change)

    @initialize()
    def open(self) -> None:
        self.record(records.Opened(at=self.wall))

    @rule()
    def approve_and_submit(self) -> None:
        self.approve()
        self.submit()

    @rule(does=st.sampled_from(["accept", "500_after", "refuse", "401", "lose"]), is_lost=st.booleans())
    def attempt_at_once(self, does: str, *, is_lost: bool) -> None:
        """Go through a whole attempt, so that its ending is not left to a chain of chances."""
        before = len(self.posts)
        self.approve_and_submit()
        if len(self.posts) == before:
            return
        post = self.posts[-1]
        self.arrive_at_egress(sum(one.permitted_at is None and one.reply is None for one in self.posts) - 1)
        self.arrive_at_venue(
            sum(one.permitted_at is not None and one.reply is None for one in self.posts) - 1, does, 30
        )
        due = [one for one in self.posts if one.intent.client_order_id in self.waiting]
        self.answer(due.index(post), is_lost=is_lost)

    @rule()
    def approve(self) -> None:
        if self.count < 5:
            self.count += 1
            times = {"approved_at": self.wall, "expires_at": self.wall + timedelta(seconds=5)}
            self.record(records.IntentSeen(intent=builders.approval(self.count, **times), at=self.wall))

    @rule()
    def submit(self) -> None:
        """Journal, then post; an expired approval is never sent."""
        order = next((one for one in self.ledger.living() if one.status is None), None)
        if order is None:
            return
        if self.wall >= order.intent.expires_at:
            self.record(records.Abandoned(client_order_id=order.client_order_id, reason="expired", at=self.wall))
            return
        latest = order.intent.expires_at
        self.record(records.Submitting(client_order_id=order.client_order_id, permit_before=latest, at=self.wall))
        self.waiting.add(order.client_order_id)
        self.posts.append(Post(intent=order.intent, permit_before=latest))

    @rule(pick=st.integers(0, 9))
    def arrive_at_egress(self, pick: int) -> None:
        """One permit per approval, ever, and none after the expiry."""
        arriving = [post for post in self.posts if post.permitted_at is None and post.reply is None]
        if not arriving:
            return
        post = arriving[pick % len(arriving)]
        order_id = post.intent.client_order_id
        if order_id in self.permits:
            post.reply = ErrorStatus(status=403, error="PERMIT_REFUSED", details="permit_already_issued")
        elif self.wall >= post.intent.expires_at:
            post.reply = ErrorStatus(status=403, error="PERMIT_REFUSED", details="expired")
        else:
            self.permits.append(order_id)
            post.permitted_at = self.wall

    @rule(
        pick=st.integers(0, 9),
        does=st.sampled_from(["accept", "accept", "500_after", "refuse", "401", "lose"]),
        hides=st.integers(0, 30),
    )
    def arrive_at_venue(self, pick: int, does: str, hides: int) -> None:
        """Open the venue with a token until it expires; an accepted order may stay hidden for a while."""
        arriving = [post for post in self.posts if post.permitted_at is not None and post.reply is None]
        if not arriving:
            return
        post = arriving[pick % len(arriving)]
        assert post.permitted_at is not None
        if self.wall > post.permitted_at + TOKEN or does == "401":
            post.reply = ErrorStatus(status=401, error="", details="")
        elif does == "refuse":
            post.reply = ErrorStatus(status=400, error="INVALID_ARGUMENT", details="")
        elif does == "lose":
            post.reply = Silence(detail="lost before the venue")
        else:
            venue_id = VenueOrderId(f"venue-{len(self.orders)}")
            visible = self.wall + timedelta(seconds=hides)
            self.orders.append(AtVenue(post.intent.client_order_id, venue_id, visible))
            accepted = Created(venue_order_id=venue_id, client_order_id=post.intent.client_order_id)
            post.reply = accepted if does == "accept" else ErrorStatus(status=500, error="", details="")

    @rule(pick=st.integers(0, 9), is_lost=st.booleans())
    def answer(self, pick: int, *, is_lost: bool) -> None:
        """Answer, time out, or answer a process that is dead."""
        due = [post for post in self.posts if post.intent.client_order_id in self.waiting]
        if not due:
            return
        post = due[pick % len(due)]
        order_id = post.intent.client_order_id
        reply = Silence(detail="timeout") if is_lost or post.reply is None else post.reply
        if isinstance(reply, Silence) or post.reply is not None:
            self.waiting.discard(order_id)
            attempt = Attempt(
                client_order_id=order_id,
                permit_before=post.permit_before,
                answered_at=self.wall,
                now=self.wall,
            )
            self.record(classify(reply, attempt))

    @rule()
    def crash(self) -> None:
        """Everything but the journal is gone; what was under way is in doubt."""
        self.ledger = recovered(one.model_dump(mode="json") for one in self.journal)
        self.waiting.clear()
        for order in self.ledger.living():
            if order.status is OrderStatus.SUBMITTING:
                assert order.permit_before is not None
                self.record(
                    records.Unclear(
                        client_order_id=order.client_order_id,
                        reason="restart",
                        permit_before=order.permit_before,
                        at=self.wall,
                    )
                )

    @rule(unsaid=st.integers(0, 3))
    def lose_the_journal(self, unsaid: int) -> None:
        """Go on from what the bus has of each approval; the last reports may not have come that far."""
        said = self.reports[: max(self.said_before, len(self.reports) - unsaid)]
        ends = [one for one in said if isinstance(one, OrderEvent) and one.status.is_terminal]
        intents = [order.intent for order in self.ledger.orders.values()]
        self.reports, self.said_before = said, len(said)
        self.terminal = {one.client_order_id: one.status for one in ends}
        self.ledger, self.journal = Ledger(), []
        self.waiting.clear()
        self.record(records.Opened(at=self.wall), *[self.recalled(intent, said) for intent in intents])

    def recalled(self, intent: ApprovedIntent, said: list[OrderEvent | Fill]) -> records.Recalled:
        own = [one for one in said if one.client_order_id == intent.client_order_id]
        return records.Recalled(
            intent=intent,
            said=next((one for one in reversed(own) if isinstance(one, OrderEvent)), None),
            fills=tuple(one for one in own if isinstance(one, Fill)),
            reason="before_journal",
            permit_before=intent.expires_at,
            at=self.wall,
        )

    @rule(pick=st.integers(0, 9), ends=st.sampled_from([None, None, OrderStatus.CANCELED, OrderStatus.EXPIRED]))
    def execute(self, pick: int, ends: OrderStatus | None) -> None:
        working = [one for one in self.orders if one.status == OrderStatus.OPEN]
        if not working:
            return
        order = working[pick % len(working)]
        if ends is not None:
            order.status = ends
            return
        number = sum(len(one.fills) for one in self.orders)
        order.fills.append(
            VenueFill(
                fill_id=FillId(f"entry-{number}"),
                trade_id=f"trade-{number}",
                venue_order_id=order.venue_order_id,
                product="BTC-USD",
                side=Side.BUY,
                kind=FillKind.FILL,
                quantity=PART,
                price=Decimal(100),
                fee=Decimal("0.025"),
                liquidity=Liquidity.TAKER,
                occurred_at=self.wall,
            )
        )
        order.status = OrderStatus.FILLED if order.filled == 1 else OrderStatus.OPEN

    @rule()
    def list_orders(self) -> None:
        """List completely: resolves doubts, and declares dead what must be."""
        visible = [one for one in self.orders if one.visible_at <= self.wall]
        for one in visible:
            seen = VenueOrder(
                venue_order_id=one.venue_order_id,
                client_order_id=one.client_order_id,
                product="BTC-USD",
                status=one.status,
                filled_quantity=one.filled,
                reason="",
                created_at=self.wall,
                updated_at=self.wall,
            )
            order = self.ledger.orders[one.client_order_id]
            assert not venue.contradicts(order, seen), (order, seen)
            news = venue.observed(order, seen, self.wall)
            if news is not None:
                self.record(news)
        listed = {one.client_order_id for one in visible}
        for order in self.ledger.living():
            if order.client_order_id not in listed:
                verdict = venue.absent(order, FENCE, self.wall, self.wall)
                if verdict is not None:
                    self.record(verdict)

    @rule(rng=st.randoms(use_true_random=False))
    def list_fills(self, rng: Any) -> None:
        """In any order, and again and again."""
        fills = [fill for one in self.orders for fill in one.fills]
        rng.shuffle(fills)
        for fill in [*fills, *fills[:2]]:
            order = self.ledger.of_venue(fill.venue_order_id)
            if order is not None:
                self.record(venue.filled(order, fill, self.wall))

    @rule(seconds=st.sampled_from([1, 1, 1, 2, 2, 4, 14, 31]))
    def wait(self, seconds: int) -> None:
        self.wall += timedelta(seconds=seconds)

    @rule(pick=st.integers(0, 9))
    def arrive_as_late_as_possible(self, pick: int) -> None:
        """Get the permit in the approval's last moment, after the process lost contact."""
        arriving = [post for post in self.posts if post.permitted_at is None and post.reply is None]
        if not arriving:
            return
        post = arriving[pick % len(arriving)]
        self.answer(self.posts.index(post), is_lost=True)
        self.wall = max(self.wall, post.intent.expires_at - INSTANT)
        self.arrive_at_egress(arriving.index(post))

    @rule(pick=st.integers(0, 9), does=st.sampled_from(["accept", "500_after"]))
    def appear_as_late_as_possible(self, pick: int, does: str) -> None:
        """Reach the venue with the token's last breath, stay hidden as long as an order can, and be listed before."""
        arriving = [post for post in self.posts if post.permitted_at is not None and post.reply is None]
        if not arriving:
            return
        post = arriving[pick % len(arriving)]
        assert post.permitted_at is not None
        self.wall = max(self.wall, post.permitted_at + TOKEN)
        self.arrive_at_venue(arriving.index(post), does, 30)
        self.wall += VISIBLE - INSTANT
        self.list_orders()

    @invariant()
    def one_order_per_approval(self) -> None:
        assert len({one.client_order_id for one in self.orders}) == len(self.orders)
        assert len(set(self.permits)) == len(self.permits)
        posted = [post.intent.client_order_id for post in self.posts]
        assert len(set(posted)) == len(posted), "an approval was posted twice"

    @invariant()
    def the_dead_do_not_exist(self) -> None:
        for order in self.ledger.orders.values():
            if order.status in {OrderStatus.FAILED, OrderStatus.REJECTED}:
                assert order.client_order_id not in {one.client_order_id for one in self.orders}

    @invariant()
    def terminal_is_final_and_filled_is_within_quantity(self) -> None:
        for order_id, order in self.ledger.orders.items():
            assert order.done.quantity <= order.intent.quantity
            if order.status is not None and order.is_terminal:
                assert self.terminal.setdefault(order_id, order.status) is order.status

    @override
    def teardown(self) -> None:
        """Let faults stop: everything ends, is reported once, and the books are the venue's."""
        for _ in range(3):
            self.submit()
            while any(post.reply is None for post in self.posts):
                self.arrive_at_egress(0)
                self.arrive_at_venue(0, "accept", 30)
            self.crash()
            self.wall += timedelta(seconds=60)
        for _ in range(self.count):
            self.submit()
        for one in self.orders:
            one.status = OrderStatus.CANCELED if one.status == OrderStatus.OPEN else one.status
        for _ in range(3):
            self.list_orders()
            self.list_fills(_Straight())
        self._check_the_end()

    def _check_the_end(self) -> None:
        at_venue = {one.client_order_id: one for one in self.orders}
        events = [one for one in self.reports if isinstance(one, OrderEvent)]
        fills = [one for one in self.reports if isinstance(one, Fill)]
        assert len({one.fill_id for one in fills}) == len(fills)
        assert len({message_id(one) for one in self.reports}) == len(self.reports), "a report was made twice"
        for order_id, order in self.ledger.orders.items():
            terminal = [one for one in events if one.client_order_id == order_id and one.status.is_terminal]
            assert len(terminal) == 1, (order, terminal)
            done = sum((one.quantity for one in fills if one.client_order_id == order_id), Decimal(0))
            assert terminal[0].filled_quantity == done == order.done.quantity
            one = at_venue.get(order_id)
            assert done == (Decimal(0) if one is None else one.filled)
        made = list(replay(one.model_dump(mode="json") for one in self.journal))
        assert made == self.reports[self.said_before :]


class _Straight:
    def shuffle(self, _items: list[Any]) -> None:
        """Keep the order."""


TestOrderLives = OrderLives.TestCase
TestOrderLives.settings = settings(max_examples=200, stateful_step_count=50, deadline=None)
