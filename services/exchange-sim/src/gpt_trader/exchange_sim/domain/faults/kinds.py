"""Every kind of fault: what it strikes, what its `value` counts and which names it knows."""

from dataclasses import dataclass
from enum import StrEnum

from gpt_trader.exchange_sim.domain.faults.reasons import CANCEL, EDIT, NEW_ORDER, PREVIEW_ONLY

CREATE = "POST /api/v3/brokerage/orders"
FLAGS = frozenset(
    {"is_disabled", "trading_disabled", "view_only", "cancel_only", "limit_only", "post_only", "auction_mode"}
)


class FaultKind(StrEnum):
    """What can go wrong."""

    REJECT_401_ONCE = "reject_401_once"
    HTTP_429 = "http_429"
    HTTP_500_BEFORE_ACCEPT = "http_500_before_accept"
    HTTP_500_AFTER_ACCEPT = "http_500_after_accept"
    DROP_CONNECTION_AFTER_ACCEPT = "drop_connection_after_accept"
    CUT_MID_BODY = "cut_mid_body"
    LOST_REPLY = "lost_reply"
    SLOW_MS = "slow_ms"
    SLOW_REPLY_MS = "slow_reply_ms"
    REJECT_ORDER = "reject_order"
    REJECT_CANCEL = "reject_cancel"
    REJECT_EDIT = "reject_edit"
    FILL_BEFORE_CANCEL = "fill_before_cancel"
    FILL_AFTER_CANCEL = "fill_after_cancel"
    PARTIAL_FILL = "partial_fill"
    FILL_CORRECTION = "fill_correction"
    FILL_REVERSAL = "fill_reversal"
    WS_LOSS = "ws_loss"
    WS_GAP = "ws_gap"
    WS_DUPLICATE = "ws_duplicate"
    WS_REORDER = "ws_reorder"
    WS_BIG_SNAPSHOT = "ws_big_snapshot"
    WS_REFUSE = "ws_refuse"
    WS_DROP = "ws_drop"
    WS_STORM = "ws_storm"
    STALE_FEED = "stale_feed"
    NO_IDEMPOTENCY = "no_idempotency"
    PRODUCT_FLAG = "product_flag"
    MAINTENANCE = "maintenance"
    CLOCK_SKEW = "clock_skew"


class Strikes(StrEnum):
    """What a fault strikes; `match` is sought in the text that describes it."""

    REQUEST = "request"
    MESSAGE = "message"
    FILL = "fill"
    SOCKET = "socket"
    STATE = "state"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What there is to know about a kind; `is_lasting` ones hold from `at_s` for `for_s`, the others happen."""

    strikes: Strikes
    meaning: str
    example: dict[str, object]
    unit: str = ""
    value: int = 0
    least: int = 0
    most: int = 0
    names: frozenset[str] = frozenset()
    is_lasting: bool = False


_R, _M, _F, _K, _S = Strikes.REQUEST, Strikes.MESSAGE, Strikes.FILL, Strikes.SOCKET, Strikes.STATE
_MS = "milliseconds"
_LONGEST = 600_000
KINDS: dict[FaultKind, Kind] = {
    FaultKind.REJECT_401_ONCE: Kind(
        strikes=_R, meaning="a good token is refused with 401", example={"match": CREATE, "probability": "0.02"}
    ),
    FaultKind.HTTP_429: Kind(
        strikes=_R,
        meaning="429 with rate headers and Retry-After",
        example={"match": CREATE, "times": 3, "value": 2},
        unit="seconds of Retry-After",
        value=1,
        most=3600,
    ),
    FaultKind.HTTP_500_BEFORE_ACCEPT: Kind(
        strikes=_R,
        meaning="5xx, and nothing was done",
        example={"match": CREATE, "value": 503},
        unit="status",
        value=500,
        least=500,
        most=599,
    ),
    FaultKind.HTTP_500_AFTER_ACCEPT: Kind(
        strikes=_R,
        meaning="5xx, though everything was done",
        example={"match": CREATE, "value": 502},
        unit="status",
        value=500,
        least=500,
        most=599,
    ),
    FaultKind.DROP_CONNECTION_AFTER_ACCEPT: Kind(
        strikes=_R, meaning="done, then the connection is reset without an answer", example={"match": CREATE}
    ),
    FaultKind.CUT_MID_BODY: Kind(
        strikes=_R, meaning="done, then the connection is reset in the middle of the answer", example={"match": CREATE}
    ),
    FaultKind.LOST_REPLY: Kind(
        strikes=_R, meaning="done, but no answer ever comes and the connection stays open", example={"match": CREATE}
    ),
    FaultKind.SLOW_MS: Kind(
        strikes=_R,
        meaning="the request waits before it is looked at",
        example={"match": CREATE, "value": 700},
        unit=_MS,
        most=_LONGEST,
    ),
    FaultKind.SLOW_REPLY_MS: Kind(
        strikes=_R,
        meaning="done at once, answered late",
        example={"match": CREATE, "value": 700},
        unit=_MS,
        most=_LONGEST,
    ),
    FaultKind.REJECT_ORDER: Kind(
        strikes=_R,
        meaning="an order is refused with HTTP 200 and success:false for the reason `name`",
        example={"name": "INSUFFICIENT_FUND", "product": "BTC-USD", "side": "BUY"},
        names=NEW_ORDER | PREVIEW_ONLY,
    ),
    FaultKind.REJECT_CANCEL: Kind(
        strikes=_R,
        meaning="a cancel is refused for the reason `name`",
        example={"name": "COMMANDER_REJECTED_CANCEL_ORDER"},
        names=CANCEL,
    ),
    FaultKind.REJECT_EDIT: Kind(
        strikes=_R,
        meaning="an amendment is refused for the reason `name`",
        example={"name": "ORDER_IS_ALREADY_BEING_REPLACED"},
        names=EDIT,
    ),
    FaultKind.FILL_BEFORE_CANCEL: Kind(
        strikes=_R,
        meaning="a resting order fills as its cancel arrives, which is refused: ORDER_IS_FULLY_FILLED",
        example={"product": "BTC-USD"},
    ),
    FaultKind.FILL_AFTER_CANCEL: Kind(
        strikes=_R,
        meaning="a cancel is answered with success, and the order fills all the same",
        example={"product": "BTC-USD"},
    ),
    FaultKind.PARTIAL_FILL: Kind(
        strikes=_R,
        meaning="a share of an order trades at once; of an immediate one the rest is cancelled",
        example={"product": "BTC-USD", "value": 40},
        unit="per cent of the order",
        value=50,
        least=1,
        most=99,
    ),
    FaultKind.FILL_CORRECTION: Kind(
        strikes=_F,
        meaning="a CORRECTION row later halves a fill, and the money follows (spot)",
        example={"product": "BTC-USD", "value": 500},
        unit=_MS,
        most=_LONGEST,
    ),
    FaultKind.FILL_REVERSAL: Kind(
        strikes=_F,
        meaning="a REVERSAL row later undoes a fill, and the money follows (spot)",
        example={"product": "BTC-USD", "side": "BUY"},
        unit=_MS,
        most=_LONGEST,
    ),
    FaultKind.WS_LOSS: Kind(
        strikes=_M, meaning="a message is lost and its number is not missed", example={"match": "user"}
    ),
    FaultKind.WS_GAP: Kind(
        strikes=_M, meaning="a message is lost and leaves a gap in the numbers", example={"match": "level2:BTC-USD"}
    ),
    FaultKind.WS_DUPLICATE: Kind(
        strikes=_M, meaning="a message comes twice, with the same number", example={"match": "user"}
    ),
    FaultKind.WS_REORDER: Kind(
        strikes=_M, meaning="a message comes after the one that follows it", example={"match": "user", "after": 5}
    ),
    FaultKind.WS_BIG_SNAPSHOT: Kind(
        strikes=_M,
        meaning="a book's snapshot is this large, by offers far from the market",
        example={"match": "level2", "value": 11},
        unit="MiB",
        value=11,
        least=1,
        most=64,
    ),
    FaultKind.WS_REFUSE: Kind(
        strikes=_R, meaning="a good subscription is answered `authentication failure`", example={"match": "user"}
    ),
    FaultKind.WS_DROP: Kind(
        strikes=_K,
        meaning="a socket is closed with this code; 1006: without a word",
        example={"match": "user", "value": 1001},
        unit="close code",
        value=1006,
        least=1000,
        most=4999,
    ),
    FaultKind.WS_STORM: Kind(
        strikes=_K,
        meaning="every socket is cut so long after it opened, again and again",
        example={"for_s": "5", "value": 200},
        unit=_MS,
        value=200,
        most=60_000,
        is_lasting=True,
    ),
    FaultKind.STALE_FEED: Kind(
        strikes=_M,
        meaning="sockets stay open and nothing comes; without `match` not even heartbeats",
        example={"match": "level2", "for_s": "10"},
        is_lasting=True,
    ),
    FaultKind.NO_IDEMPOTENCY: Kind(
        strikes=_S, meaning="a known client_order_id makes another order", example={}, is_lasting=True
    ),
    FaultKind.PRODUCT_FLAG: Kind(
        strikes=_S,
        meaning="a product, or all, carries the flag `name`",
        example={"name": "cancel_only", "product": "BTC-USD", "at_s": "30", "for_s": "10"},
        names=FLAGS,
        is_lasting=True,
    ),
    FaultKind.MAINTENANCE: Kind(
        strikes=_S,
        meaning="products are offline and every POST is answered 503",
        example={"at_s": "60", "for_s": "20"},
        is_lasting=True,
    ),
    FaultKind.CLOCK_SKEW: Kind(
        strikes=_S,
        meaning="server time and Date header are off",
        example={"value": -3000},
        unit=_MS,
        value=1500,
        least=-86_400_000,
        most=86_400_000,
        is_lasting=True,
    ),
}
