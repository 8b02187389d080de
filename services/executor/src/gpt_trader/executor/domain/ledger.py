"""All orders as a fold over the journal; what it does not say on the bus yet is kept until it is said."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from gpt_trader.contracts.ids import ClientOrderId, FillId, VenueOrderId
from gpt_trader.contracts.orders import Fill, OrderEvent
from gpt_trader.executor.domain import records
from gpt_trader.executor.domain.order import IllegalTransition, Order, Report, evolve

_LINKS = 256
"""More than can be delivered again out of order."""


@dataclass(slots=True, kw_only=True)
class Ledger:
    """What the journal adds up to. `unsaid` holds reports by message id, oldest first.

    `links` are the hashes of the last intents by their place in the stream.
    """

    opened_at: datetime | None = None
    epoch: int = 0
    filled_until: datetime | None = None
    orders: dict[ClientOrderId, Order] = field(default_factory=dict)
    live: dict[ClientOrderId, None] = field(default_factory=dict)
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
                self._begin(record)
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

    def _begin(self, record: records.IntentSeen) -> None:
        order_id = record.intent.client_order_id
        if order_id in self.orders:
            raise IllegalTransition(f"{order_id}: an approval is taken once")
        self.orders[order_id] = Order(intent=record.intent)
        self.live[order_id] = None
        self.epoch = max(self.epoch, record.intent.epoch)

    def _step(self, record: records.OrderRecord) -> tuple[Report, ...]:
        if record.client_order_id not in self.orders:
            raise IllegalTransition(f"{record.client_order_id}: {record.kind} of an order nobody approved")
        order, reports = evolve(self.orders[record.client_order_id], record)
        self.orders[order.client_order_id] = order
        if order.venue_order_id is not None:
            self.by_venue_id[order.venue_order_id] = order.client_order_id
        if order.is_terminal:
            self.live.pop(order.client_order_id, None)
        for report in reports:
            self.unsaid[message_id(report)] = report
        if isinstance(record, records.Filled):
            self.fill_ids.add(record.fill.fill_id)
            self.by_venue_id.setdefault(record.fill.venue_order_id, order.client_order_id)
            self.filled_until = max(self.filled_until or record.fill.occurred_at, record.fill.occurred_at)
        return reports


def message_id(report: Report) -> str:
    """Name a report, so that a repetition is recognised wherever it arrives."""
    match report:
        case OrderEvent():
            return f"{report.client_order_id}:{report.revision}"
        case Fill():
            return report.fill_id
