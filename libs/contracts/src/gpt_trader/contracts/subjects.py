"""The one place that spells subjects: who publishes each, who may read it, and in which stream it is kept.

The server configuration, the streams, the permissions and the documentation are all derived from `ROUTES`.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum


class Zone(StrEnum):
    """A trust zone: one account on the bus, one credential, one inbox."""

    OPERATOR = "operator"
    GATE = "risk-gate"
    EXECUTOR = "executor"
    MARKET_DATA = "market-data"
    STRATEGY = "strategy"
    LEARNING = "learning"
    EXCHANGE = "exchange-sim"
    """The paper venue: it hears the prices of the real one, and publishes nothing."""
    LAB = "lab"
    """Workers that try the code out: they take work and give results, and neither hear nor say anything else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One kind of subject: its only publisher, its readers, and the stream that keeps it (None = core only)."""

    pattern: str
    publisher: Zone
    readers: frozenset[Zone]
    stream: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """How a stream is kept. `discard_new`: full means that publishing fails, never that history is dropped.

    `per_subject` bounds what moves fast, so that it can't push out what is kept for long. `is_queue`: a message leaves
    when one reader has acknowledged it, or when who put it there takes it back.
    """

    name: str
    max_age: timedelta | None
    max_bytes: int
    discard_new: bool
    duplicate_window: timedelta = timedelta(minutes=2)
    per_subject: int | None = None
    is_queue: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Durable:
    """A consumer that is made at deployment; services bind to it and can make none themselves.

    `is_shared`: many processes take turns, each holds one message and says so for as long as it works on it.
    """

    stream: str
    name: str
    zone: Zone
    filters: tuple[str, ...]
    max_ack_pending: int
    ack_wait: timedelta = timedelta(seconds=10)
    is_shared: bool = False


_ALL = frozenset(Zone) - {Zone.EXCHANGE, Zone.LAB}
"""Who takes part in trading."""
SERVICES = tuple(zone for zone in Zone if zone in _ALL - {Zone.OPERATOR})
"""The zones whose heartbeats an operator waits for."""
ALERTING = frozenset(Zone) - {Zone.LAB}
_MB = 1024 * 1024


def _route(pattern: str, publisher: Zone, readers: frozenset[Zone], stream: str | None) -> Route:
    return Route(pattern=pattern, publisher=publisher, readers=readers - {publisher}, stream=stream)


_WATCHERS = frozenset({Zone.OPERATOR, Zone.LEARNING})
_MARKET_READERS = frozenset({Zone.OPERATOR, Zone.GATE, Zone.STRATEGY, Zone.LEARNING})

ROUTES: tuple[Route, ...] = (
    _route("ticks.>", Zone.MARKET_DATA, _MARKET_READERS | {Zone.EXCHANGE}, None),
    _route("candles.>", Zone.MARKET_DATA, _MARKET_READERS, "MARKET"),
    _route("books.>", Zone.MARKET_DATA, _MARKET_READERS | {Zone.EXCHANGE}, "BOOKS"),
    _route("feed.>", Zone.MARKET_DATA, _MARKET_READERS, "BOOKS"),
    _route("universe", Zone.MARKET_DATA, _MARKET_READERS | {Zone.EXCHANGE}, "BOOKS"),
    _route("signals.>", Zone.STRATEGY, _WATCHERS | {Zone.GATE}, "SIGNALS"),
    _route("no_trade.>", Zone.STRATEGY, _WATCHERS, None),
    _route("decisions.>", Zone.GATE, _WATCHERS | {Zone.STRATEGY}, "DECISIONS"),
    _route("intents.approved.>", Zone.GATE, _WATCHERS | {Zone.EXECUTOR}, "INTENTS"),
    _route("intents.cancel.>", Zone.GATE, _WATCHERS | {Zone.EXECUTOR}, "INTENTS"),
    _route("intents.epoch", Zone.GATE, _WATCHERS | {Zone.EXECUTOR}, "INTENTS"),
    _route("events.>", Zone.GATE, _WATCHERS, "EVENTS"),
    _route("orders.>", Zone.EXECUTOR, _WATCHERS | {Zone.GATE}, "ORDERS"),
    _route("fills.>", Zone.EXECUTOR, _WATCHERS | {Zone.GATE, Zone.STRATEGY}, "FILLS"),
    _route("account", Zone.GATE, _ALL, "STATE"),
    _route("state.trading", Zone.GATE, _ALL, "STATE"),
    _route("control.>", Zone.OPERATOR, _ALL, "CONTROL"),
    _route("proposals.>", Zone.LEARNING, frozenset({Zone.OPERATOR, Zone.GATE}), "PROPOSALS"),
    _route("approvals.>", Zone.OPERATOR, frozenset({Zone.LEARNING, Zone.GATE}), "PROPOSALS"),
    _route("parameters.>", Zone.GATE, _WATCHERS | {Zone.STRATEGY}, "PROPOSALS"),
    _route("lab.work.>", Zone.OPERATOR, frozenset({Zone.LAB}), "LAB_WORK"),
    _route("lab.results.>", Zone.LAB, frozenset({Zone.OPERATOR}), "LAB_RESULTS"),
    *(_route(f"heartbeats.{zone}", zone, frozenset({Zone.OPERATOR, Zone.GATE}), None) for zone in sorted(_ALL)),
)
"""Alerts are listed apart (`ALERTS`): all `ALERTING` zones publish them, which no other subject allows."""

ALERTS = "alerts.>"
REPUBLISHED = "pub."
"""Prefix under which other zones see what a stream of the gate's account has taken from a third zone."""

STREAMS: tuple[Stream, ...] = (
    Stream(name="MARKET", max_age=timedelta(days=7), max_bytes=256 * _MB, discard_new=False),
    Stream(name="BOOKS", max_age=timedelta(days=1), max_bytes=64 * _MB, discard_new=False, per_subject=100),
    Stream(name="SIGNALS", max_age=timedelta(days=30), max_bytes=64 * _MB, discard_new=False),
    Stream(name="DECISIONS", max_age=None, max_bytes=1024 * _MB, discard_new=False),
    Stream(name="INTENTS", max_age=None, max_bytes=128 * _MB, discard_new=True),
    Stream(name="EVENTS", max_age=None, max_bytes=256 * _MB, discard_new=False),
    Stream(name="ORDERS", max_age=None, max_bytes=128 * _MB, discard_new=True),
    Stream(name="FILLS", max_age=None, max_bytes=64 * _MB, discard_new=True),
    Stream(name="STATE", max_age=timedelta(days=7), max_bytes=64 * _MB, discard_new=False),
    Stream(name="CONTROL", max_age=None, max_bytes=16 * _MB, discard_new=False),
    Stream(name="PROPOSALS", max_age=None, max_bytes=16 * _MB, discard_new=True),
    Stream(name="ALERTS", max_age=timedelta(days=30), max_bytes=16 * _MB, discard_new=False),
    Stream(name="LAB_WORK", max_age=timedelta(days=1), max_bytes=16 * _MB, discard_new=True, is_queue=True),
    Stream(name="LAB_RESULTS", max_age=timedelta(days=1), max_bytes=64 * _MB, discard_new=False),
)

DURABLES: tuple[Durable, ...] = (
    Durable(stream="SIGNALS", name="risk-gate", zone=Zone.GATE, filters=("signals.>",), max_ack_pending=256),
    Durable(stream="ORDERS", name="risk-gate", zone=Zone.GATE, filters=("orders.>",), max_ack_pending=256),
    Durable(stream="FILLS", name="risk-gate", zone=Zone.GATE, filters=("fills.>",), max_ack_pending=256),
    Durable(stream="CONTROL", name="risk-gate", zone=Zone.GATE, filters=("control.>",), max_ack_pending=64),
    Durable(stream="INTENTS", name="executor", zone=Zone.EXECUTOR, filters=("intents.>",), max_ack_pending=64),
    Durable(stream="DECISIONS", name="learning", zone=Zone.LEARNING, filters=("decisions.>",), max_ack_pending=512),
    Durable(stream="ORDERS", name="learning", zone=Zone.LEARNING, filters=("orders.>",), max_ack_pending=512),
    Durable(stream="FILLS", name="learning", zone=Zone.LEARNING, filters=("fills.>",), max_ack_pending=512),
    Durable(stream="LAB_WORK", name="lab", zone=Zone.LAB, filters=("lab.work.>",), max_ack_pending=256, is_shared=True),
)

HISTORY: dict[Zone, frozenset[str]] = {
    Zone.OPERATOR: frozenset(stream.name for stream in STREAMS),
    Zone.GATE: frozenset({"INTENTS", "CONTROL", "MARKET", "BOOKS", "STATE", "ORDERS", "FILLS", "DECISIONS", "EVENTS"}),
    Zone.EXECUTOR: frozenset({"INTENTS", "ORDERS", "FILLS", "CONTROL"}),
    Zone.STRATEGY: frozenset({"MARKET", "BOOKS", "STATE", "CONTROL", "PROPOSALS"}),
    Zone.LEARNING: frozenset({"MARKET", "BOOKS", "DECISIONS", "FILLS", "ORDERS", "SIGNALS", "STATE"}),
    Zone.MARKET_DATA: frozenset({"MARKET", "BOOKS", "CONTROL"}),
    Zone.EXCHANGE: frozenset({"BOOKS"}),
    Zone.LAB: frozenset(),
}
"""Which streams a zone may read back (stateless reads; nothing can be created or changed with them)."""

RECORDS = ("INTENTS", "ORDERS", "FILLS")
"""Streams of the order's path: full, they take no more, so the gate may ask how full they are."""

QUEUES = tuple(stream.name for stream in STREAMS if stream.is_queue)
"""Streams from which the operator may take back what nobody has taken yet."""


def ticks(product: str) -> str:
    """Subject of a product's ticks."""
    return f"ticks.{product}"


def candles(interval: str, product: str) -> str:
    """Subject of closed candles of one interval."""
    return f"candles.{interval}.{product}"


def books(product: str) -> str:
    """Subject of a product's book summaries."""
    return f"books.{product}"


def feed(product: str) -> str:
    """Subject of a product's feed health."""
    return f"feed.{product}"


UNIVERSE = "universe"


def signals(strategy: str, product: str) -> str:
    """Subject of what one strategy asks for on one product."""
    return f"signals.{strategy}.{product}"


def no_trade(strategy: str, product: str) -> str:
    """Subject of why a strategy did nothing."""
    return f"no_trade.{strategy}.{product}"


def decisions(product: str) -> str:
    """Subject of the gate's verdicts on one product."""
    return f"decisions.{product}"


def intents_approved(product: str) -> str:
    """Subject of approved orders: the only way to the executor."""
    return f"intents.approved.{product}"


def intents_cancel(product: str) -> str:
    """Subject of cancels."""
    return f"intents.cancel.{product}"


INTENTS_EPOCH = "intents.epoch"


def events(kind: str) -> str:
    """Subject of what the gate did and saw, by kind of record."""
    return f"events.{kind}"


def orders(product: str) -> str:
    """Subject of order life-cycle events."""
    return f"orders.{product}"


def fills(product: str) -> str:
    """Subject of fills."""
    return f"fills.{product}"


ACCOUNT = "account"
STATE_TRADING = "state.trading"
CONTROL_KILL = "control.kill"
CONTROL_RESET = "control.reset"
CONTROL_PAUSE = "control.pause"
CONTROL_RESUME = "control.resume"
CONTROL_REDUCE_ONLY = "control.reduce_only"
CONTROL_FLATTEN = "control.flatten"
CONTROL_ADOPT = "control.adopt"


def parameters(strategy: str) -> str:
    """Subject of adopted parameters."""
    return f"parameters.{strategy}"


def proposals(proposal_id: str) -> str:
    """Subject of one proposal."""
    return f"proposals.{proposal_id}"


def approvals(proposal_id: str) -> str:
    """Subject of the operator's verdict on one proposal."""
    return f"approvals.{proposal_id}"


def lab_work(campaign: str, piece: int | str) -> str:
    """Subject of one piece of a campaign's work; `*` is all of them."""
    return f"lab.work.{campaign}.{piece}"


def lab_results(campaign: str, piece: int | str) -> str:
    """Subject of what became of one piece; `*` is all of them."""
    return f"lab.results.{campaign}.{piece}"


def heartbeats(service: str) -> str:
    """Subject of one service's liveness."""
    return f"heartbeats.{service}"


def alerts(severity: str) -> str:
    """Subject of alerts of one severity."""
    return f"alerts.{severity}"


def seen_by(zone: Zone, pattern: str) -> str:
    """Return the subject on which a zone reads `pattern`.

    What others publish into a stream reaches the remaining zones as `pub.<subject>`, republished by the
    server after it is on disk; the gate's own account sees the subject itself.
    """
    route = route_of(pattern)
    is_direct = route.stream is None or zone in {Zone.GATE, route.publisher}
    if is_direct or route.publisher in {Zone.GATE, Zone.OPERATOR}:
        return pattern
    return REPUBLISHED + pattern


def route_of(subject: str) -> Route:
    """Find the route a subject or pattern belongs to; raises KeyError for a subject nobody declared."""
    for route in ROUTES:
        if route.pattern == subject:
            return route
        if route.pattern.endswith(".>") and subject.startswith(route.pattern[:-1]):
            return route
    raise KeyError(f"no route declares the subject {subject!r}")
