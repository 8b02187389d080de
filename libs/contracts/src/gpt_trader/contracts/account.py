"""What the gate says of the account and of trading itself."""

from enum import StrEnum

from gpt_trader.contracts.ids import ClientOrderId, VenueOrderId
from gpt_trader.contracts.intents import Purpose
from gpt_trader.contracts.message import Amount, Hash, Instant, Message, NonNegative, Positive, Product
from gpt_trader.contracts.orders import OrderStatus
from gpt_trader.contracts.signals import Side


class Cash(Message):
    """One currency: total = available + on hold at the venue; reserved = our approvals at worst case."""

    currency: str
    total: Amount
    reserved: NonNegative


class Position(Message):
    """Net quantity held of a product, with what it cost and what it is worth."""

    product: Product
    quantity: Amount
    average_entry_price: NonNegative
    mark: Positive | None
    unrealized_pnl: Amount
    realized_pnl: Amount
    fees: Amount
    strategy: str
    stop_price: Positive | None
    target_price: Positive | None
    opened_at: Instant | None


class OpenOrder(Message):
    """An order of ours that is not terminal."""

    client_order_id: ClientOrderId
    venue_order_id: VenueOrderId | None
    product: Product
    side: Side
    purpose: Purpose
    quantity: Positive
    filled_quantity: NonNegative
    limit_price: Positive
    status: OrderStatus


class AccountSnapshot(Message):
    """Balances, positions and P&L as folded from fills and marked to the last tick."""

    equity: Amount
    cash: tuple[Cash, ...]
    positions: tuple[Position, ...]
    open_orders: tuple[OpenOrder, ...]
    exposure: NonNegative
    worst_case_exposure: NonNegative
    realized_pnl: Amount
    unrealized_pnl: Amount
    fees: Amount
    day_start_equity: Amount
    day_pnl: Amount
    peak_equity: Amount
    drawdown: NonNegative
    fills: int
    is_reconciled: bool
    published_at: Instant


class TradingStatus(StrEnum):
    """The ladder, most permissive first. Paused: no entries until a time, global or for a product."""

    ACTIVE = "active"
    REDUCE_ONLY = "reduce_only"
    PAUSED = "paused"
    HALTED = "halted"


class Cause(Message):
    """One reason for a degraded state; the state is the worst of its causes."""

    code: str
    status: TradingStatus
    detail: str
    product: Product | None
    since: Instant
    until: Instant | None


class TradingState(Message):
    """The gate's word on whether and how trading may go on; signed by nothing but the account it comes from.

    `records` and `head_hash` are the length of the gate's journal and the hash of its last record: whoever keeps them
    can tell later that the journal was cut or rewritten.
    """

    status: TradingStatus
    causes: tuple[Cause, ...]
    epoch: int
    sequence: int
    creates_in_flight: int
    decisions: int
    records: int
    head_hash: Hash
    published_at: Instant
