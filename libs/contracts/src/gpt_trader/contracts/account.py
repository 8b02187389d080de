"""What the gate says of the account and of trading itself."""

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum

from gpt_trader.contracts.ids import ClientOrderId, VenueOrderId
from gpt_trader.contracts.intents import Purpose
from gpt_trader.contracts.message import Amount, Hash, Instant, Message, Name, NonNegative, Positive, Product
from gpt_trader.contracts.orders import OrderStatus
from gpt_trader.contracts.signals import Side


class Cash(Message):
    """One currency: total = available + on hold at the venue; reserved = our approvals at worst case."""

    currency: str
    total: Amount
    reserved: NonNegative


class Position(Message):
    """Net quantity held of a product, with what it cost and what it is worth; `contracts` for futures only."""

    product: Product
    quantity: Amount
    contracts: Amount | None = None
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


class MarginSummary(Message):
    """What backs futures and what they require, as the venue last said; `funding` is all that was ever paid or got.

    `buffer` is the wallet's equity above maintenance margin, as a fraction of it; None while nothing is required.
    """

    wallet: Amount
    initial: NonNegative
    maintenance: NonNegative
    buffer: Amount | None
    window: str
    window_ends_at: Instant
    funding: Amount


class Difference(Message):
    """A currency in which our books and the venue's total disagree."""

    currency: str
    ours: Amount
    venue: Amount


class AccountSnapshot(Message):
    """Balances, positions and P&L as folded from fills and marked to the last tick.

    equity = opening_equity + transfers + realized_pnl + unrealized_pnl - fees + funding + income, to the last digit.
    `income` is interest and rewards, less fees that no trade caused.
    `differences` is what the last comparison with the venue found.
    `exposure` is gross; `cluster_exposures` and `correlated_exposure` (that of the product with which most moves) count
    open orders at their worst, as `worst_case_exposure` does.
    """

    equity: Amount
    cash: tuple[Cash, ...]
    positions: tuple[Position, ...]
    open_orders: tuple[OpenOrder, ...]
    exposure: NonNegative
    worst_case_exposure: NonNegative
    net_exposure: Amount
    cluster_exposures: Mapping[Name, NonNegative]
    correlated_exposure: NonNegative
    realized_pnl: Amount
    unrealized_pnl: Amount
    fees: Amount
    funding: Amount = Decimal(0)
    transfers: Amount = Decimal(0)
    income: Amount = Decimal(0)
    opening_equity: Amount = Decimal(0)
    day_start_equity: Amount
    day_pnl: Amount
    peak_equity: Amount
    drawdown: NonNegative
    fills: int
    is_reconciled: bool
    margin: MarginSummary | None = None
    differences: tuple[Difference, ...] = ()
    published_at: Instant


class TradingStatus(StrEnum):
    """The ladder, most permissive first. Paused: no entries until a time, global or for a product."""

    ACTIVE = "active"
    REDUCE_ONLY = "reduce_only"
    PAUSED = "paused"
    HALTED = "halted"


class Cause(Message):
    """One reason for a degraded state; the state is the worst of its causes.

    A cause of one product counts for that product, a cause of one strategy for that strategy's entries only.
    `orders` are the venue's ids of the orders it is about, as far as an operator can excuse them.
    """

    code: str
    status: TradingStatus
    detail: str
    product: Product | None
    strategy: Name | None = None
    since: Instant
    until: Instant | None
    orders: tuple[str, ...] = ()


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
