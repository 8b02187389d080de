"""All orders as a fold over the journal; what it does not say on the bus yet is kept until it is said."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from gpt_trader.contracts.ids import ClientOrderId, FillId, VenueOrderId
from gpt_trader.contracts.intents import ApprovedIntent
from gpt_trader.contracts.orders import Fill, OrderEvent
from gpt_trader.executor.domain import records
from gpt_trader.executor.domain.order import IllegalTransition, Order, Report, Step, evolve, recalled

_LINKS = 256
"""More than can be delivered again out of order."""


@dataclass(slots=True, kw_only=True)
class Ledger:
    """What the journal adds up to. `unsaid` holds reports by message id, oldest first; `doubtful` is a part of `live`.

    `links` are the hashes of the last intents by their place in the stream.
    """

    opened_at: datetime | None = None
    epoch: int = 0
    filled_until: datetime | None = None
    orders: dict[ClientOrderId, Order] = field(default_factory=dict)
    live: dict[ClientOrderId, None] = field(default_factory=dict)
    doubtful: set[ClientOrderId] = field(default_factory=set)
    by_venue_id: dict[VenueOrderId, ClientOrderId] = field(default_factory=dict)
    fill_ids: set[FillId] = field(default_factory=set)
    unsaid: dict[str, Report] = field(default_factory=dict)
    links: dict[int, str] = field(default_factory=dict)

    def apply(self, record: records.Record) -> tuple[Report, ...]:
        """Fold one record and return its reports; IllegalTransition leaves everything as it was."""
        match record:
            case records.Opened():
                self.opened_at = self.filled_until = record.at
            case records.EpochSeen():
                self.epoch = max(self.epoch, record.epoch)
            case records.LinkSeen():
                self._link(record)
            case records.IntentSeen():
                self._begin(record.intent)
            case records.Recalled():
                return self._recall(record)
            case records.Reported():
                for message_id in record.message_ids:
                    self.unsaid.pop(message_id, None)
            case _:
                return self._step(record)
        return ()

    def living(self) -> Iterator[Order]:
        """Orders without a terminal report, oldest first."""
        return iter([self.orders[order_id] for order_id in self.live])

    def of_venue(self, venue_order_id: VenueOrderId) -> Order | None:
        """Return the order that the venue knows by this id, if it is ours."""
        order_id = self.by_venue_id.get(venue_order_id)
        return None if order_id is None else self.orders[order_id]

    def _link(self, record: records.LinkSeen) -> None:
        self.links[record.stream_sequence] = record.payload_sha256
        if len(self.links) > _LINKS:
            del self.links[min(self.links)]

    def _begin(self, intent: ApprovedIntent) -> None:
        order_id = intent.client_order_id
        if order_id in self.orders:
            raise IllegalTransition(f"{order_id}: an approval is taken once")
        self.orders[order_id] = Order(intent=intent)
        self.live[order_id] = None
        self.epoch = max(self.epoch, intent.epoch)

    def _recall(self, record: records.Recalled) -> tuple[Report, ...]:
        """Take over what was said; fills are looked for from the newest one that was, or else from the approval."""
        self._begin(record.intent)
        known = [fill.occurred_at for fill in record.fills]
        if self.fill_ids and self.filled_until is not None:
            known.append(self.filled_until)
        approved_at = record.intent.approved_at
        self.filled_until = max(known, default=min(self.filled_until or approved_at, approved_at))
        for fill in record.fills:
            self.fill_ids.add(fill.fill_id)
            self.by_venue_id.setdefault(fill.venue_order_id, fill.client_order_id)
        return self._taken(recalled(record))

    def _step(self, record: records.OrderRecord) -> tuple[Report, ...]:
        if record.client_order_id not in self.orders:
            raise IllegalTransition(f"{record.client_order_id}: {record.kind} of an order nobody approved")
        reports = self._taken(evolve(self.orders[record.client_order_id], record))
        if isinstance(record, records.Filled):
            self.fill_ids.add(record.fill.fill_id)
            self.by_venue_id.setdefault(record.fill.venue_order_id, record.client_order_id)
            self.filled_until = max(self.filled_until or record.fill.occurred_at, record.fill.occurred_at)
        return reports

    def _taken(self, step: Step) -> tuple[Report, ...]:
        """Keep an order as it stands after a step, and what is to be said of it."""
        order, reports = step
        self.orders[order.client_order_id] = order
        if order.venue_order_id is not None:
            self.by_venue_id[order.venue_order_id] = order.client_order_id
        if order.is_in_doubt:
            self.doubtful.add(order.client_order_id)
        else:
            self.doubtful.discard(order.client_order_id)
        if order.is_terminal:
            self.live.pop(order.client_order_id, None)
        for report in reports:
            self.unsaid[message_id(report)] = report
        return reports


def message_id(report: Report) -> str:
    """Name a report, so that a repetition is recognised wherever it arrives."""
    match report:
        case OrderEvent():
            return _step_id(report.client_order_id, report.revision)
        case Fill():
            return report.fill_id


def said_before(record: records.Recalled) -> frozenset[str]:
    """Name the reports that were made before this journal took the order over."""
    steps = 0 if record.said is None else record.said.revision
    order_id = record.intent.client_order_id
    return frozenset({_step_id(order_id, step) for step in range(1, steps + 1)} | {one.fill_id for one in record.fills})


def _step_id(client_order_id: ClientOrderId, revision: int) -> str:
    return f"{client_order_id}:{revision}"
