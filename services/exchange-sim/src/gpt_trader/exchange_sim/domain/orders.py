"""An order at the venue: what was asked, and how far it got."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

ZERO = Decimal(0)
CUSTOMER = "customer"
STRANGER = "stranger"
MARKET = "market"


class Side(StrEnum):
    """Direction of an order."""

    BUY = "BUY"
    SELL = "SELL"

    @property
    def opposite(self) -> "Side":
        """The side this one trades with."""
        return Side.SELL if self is Side.BUY else Side.BUY


class OrderKind(StrEnum):
    """The venue's order configurations; the value is the key in `order_configuration`."""

    MARKET_IOC = "market_market_ioc"
    MARKET_FOK = "market_market_fok"
    LIMIT_IOC = "sor_limit_ioc"
    LIMIT_GTC = "limit_limit_gtc"
    LIMIT_GTD = "limit_limit_gtd"
    LIMIT_FOK = "limit_limit_fok"
    STOP_LIMIT_GTC = "stop_limit_stop_limit_gtc"
    STOP_LIMIT_GTD = "stop_limit_stop_limit_gtd"
    BRACKET_GTC = "trigger_bracket_gtc"
    BRACKET_GTD = "trigger_bracket_gtd"
    TWAP = "twap_limit_gtd"
    SCALED = "scaled_limit_gtc"


MARKET_KINDS = frozenset({OrderKind.MARKET_IOC, OrderKind.MARKET_FOK})
STOP_KINDS = frozenset({OrderKind.STOP_LIMIT_GTC, OrderKind.STOP_LIMIT_GTD})
BRACKET_KINDS = frozenset({OrderKind.BRACKET_GTC, OrderKind.BRACKET_GTD})
FOK_KINDS = frozenset({OrderKind.MARKET_FOK, OrderKind.LIMIT_FOK})
IMMEDIATE_KINDS = FOK_KINDS | {OrderKind.MARKET_IOC, OrderKind.LIMIT_IOC}
GTD_KINDS = frozenset({OrderKind.LIMIT_GTD, OrderKind.STOP_LIMIT_GTD, OrderKind.BRACKET_GTD})
EDITABLE_KINDS = frozenset({OrderKind.LIMIT_GTC, OrderKind.STOP_LIMIT_GTC, OrderKind.BRACKET_GTC})
UNSUPPORTED_KINDS = frozenset({OrderKind.MARKET_FOK, OrderKind.TWAP, OrderKind.SCALED})


class StopDirection(StrEnum):
    """Which way the last trade must move to trigger a stop."""

    UP = "STOP_DIRECTION_STOP_UP"
    DOWN = "STOP_DIRECTION_STOP_DOWN"


class Status(StrEnum):
    """The venue's own spelling of the order life cycle."""

    PENDING = "PENDING"
    OPEN = "OPEN"
    CANCEL_QUEUED = "CANCEL_QUEUED"
    FILLED = "FILLED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"
    FAILED = "FAILED"


TERMINAL = frozenset({Status.FILLED, Status.CANCELLED, Status.EXPIRED, Status.FAILED})


class Trigger(StrEnum):
    """Where a stop or bracket stands."""

    NONE = "INVALID_ORDER_TYPE"
    WAITING = "STOP_PENDING"
    TRIGGERED = "STOP_TRIGGERED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """One parsed order configuration."""

    kind: OrderKind
    base_size: Decimal | None = None
    quote_size: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    stop_direction: StopDirection | None = None
    end_time: datetime | None = None
    post_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRequest:
    """A create or preview body after parsing."""

    client_order_id: str
    product_id: str
    side: Side
    terms: Terms
    attached: Terms | None = None
    owner: str = CUSTOMER
    is_isolated: bool = False
    is_reduce_only: bool = False
    is_closing: bool = False
    is_liquidation: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """One accepted amendment."""

    price: Decimal
    size: Decimal
    accepted_at: datetime
    stop_price: Decimal | None = None


@dataclass(slots=True, kw_only=True)
class Order:
    """State of one order; only the venue's modules change it.

    `part` is the share of it that trades when it comes to the book, whatever the book holds; none: what the book gives.
    """

    order_id: str
    request: OrderRequest
    terms: Terms
    created_at: datetime
    visible_at: datetime
    limit: Decimal
    size: Decimal
    contract_size: Decimal | None = None
    budget: Decimal | None = None
    part: Decimal | None = None
    status: Status = Status.PENDING
    trigger: Trigger = Trigger.NONE
    filled: Decimal = ZERO
    filled_value: Decimal = ZERO
    fees: Decimal = ZERO
    hold: Decimal = ZERO
    fill_count: int = 0
    updated_at: datetime
    last_fill_at: datetime | None = None
    is_resting: bool = False
    cancel_message: str = ""
    reject_message: str = ""
    originating_order_id: str = ""
    attached_order_id: str = ""
    edits: list[Edit] = field(default_factory=list)

    @property
    def product_id(self) -> str:
        """Product the order trades."""
        return self.request.product_id

    @property
    def side(self) -> Side:
        """Direction of the order."""
        return self.request.side

    @property
    def owner(self) -> str:
        """Who placed it; orders of one owner never trade with each other."""
        return self.request.owner

    @property
    def remaining(self) -> Decimal:
        """Base quantity not yet filled; for a quote budget, unknown until filled and therefore zero."""
        return self.size - self.filled

    @property
    def is_future(self) -> bool:
        """Sized in contracts."""
        return self.contract_size is not None

    @property
    def signed(self) -> int:
        """Plus one for a buy, minus one for a sell."""
        return 1 if self.side is Side.BUY else -1

    @property
    def is_terminal(self) -> bool:
        """Nothing more can happen to it."""
        return self.status in TERMINAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    """A print at the venue; `maker_side` is the side that was resting."""

    trade_id: str
    product_id: str
    price: Decimal
    quantity: Decimal
    at: datetime
    maker_side: Side


class Row(StrEnum):
    """What a row of fills says: a trade, what it became, or that it is undone."""

    FILL = "FILL"
    CORRECTION = "CORRECTION"
    REVERSAL = "REVERSAL"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """One order's half of a trade, or a later word on it."""

    sequence: int
    trade: Trade
    order_id: str
    side: Side
    owner: str
    value: Decimal
    commission: Decimal
    is_maker: bool
    row: Row = Row.FILL
