"""One real system under a test's hands: the bus, the state store, the venue, market-data, the executor and the gate.

The test plays the strategy and the operator, with their credentials, and reads what the gate says from the bus and what
became of it from the venue's books. Everything is plain and blocking; nothing of it needs `async`.

    from stand import BTC, Stand, failed, policy, trips

    @trips("order_is_within_limit")                      # names the rows of the table of checks that this test trips
    @policy(limits={"max_order_notional": "0.5"})        # the gate runs with these limits (restarts it, about 2 s)
    def test_an_order_above_the_limit_is_denied(stand: Stand) -> None:
        decision = stand.enter(BTC)

        assert failed(decision).keys() == {"order_is_within_limit"}
        assert not stand.orders()

`stand` (conftest.py) is shared by a module and made calm before each test: markets still at `PRICES`, faults disarmed,
processes awake, positions sold, causes cleared, and the policy of the test's mark. A module that needs another system
defines `stand_terms` of its own, such as

    @pytest.fixture(scope="module")
    def stand_terms() -> Terms:
        return replace(TERMS, futures=("BIP-20DEC30-CDE",), settings={"risk-gate": {"reconcile_seconds": 60}})

Markets stand still (2 bps spread, 1,000,000 within 100 bps of each touch, in ten equal levels 10 bps apart) unless
`price()` moves one or `let_go()` sets it free. Time is real: choose limits of seconds with `@policy`, not
sleeps, and none that a busy machine could pass by itself: between a question and its decision there may be a second or
two. The base policy is the demo's without any pacing; a test loosens or tightens only what it is about. A future is
named in `tiers` as well as in `futures`.
"""

import asyncio
import contextlib
import itertools
import signal as signals
import threading
import time
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Future
from contextlib import AsyncExitStack
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import orjson
import pytest
import yaml
from nursery import Nurseries
from system import GATE, PATIENCE, RealSystem, Terms, promptly, until

from gpt_trader.console.stack.plan import Ports, choose_ports
from gpt_trader.console.stack.policies import shipped_policy
from gpt_trader.contracts import subjects
from gpt_trader.contracts.account import AccountSnapshot, Cause, TradingState, TradingStatus
from gpt_trader.contracts.decisions import CheckResult, Decision, Verdict
from gpt_trader.contracts.ids import SignalId
from gpt_trader.contracts.market import BookSummary, FeedStatus, ProductSpec, Tick, Universe
from gpt_trader.contracts.message import Message
from gpt_trader.contracts.orders import Fill, OrderEvent
from gpt_trader.contracts.signals import Action, Side, Signal
from gpt_trader.contracts.subjects import Zone
from gpt_trader.contracts.telemetry import Alert, Heartbeat
from gpt_trader.risk_gate.domain import records
from gpt_trader.runtime.bus import Bus, BusUnavailable, connect, decoded
from gpt_trader.runtime.clock import Clock, clock_of
from gpt_trader.runtime.release import release_of

__all__ = ["TERMS", "Stand", "Terms", "failed", "policy", "promptly", "trips", "until"]

BTC, ETH, SOL, DOGE, LTC = "BTC-USD", "ETH-USD", "SOL-USD", "DOGE-USD", "LTC-USD"
PRICES = {BTC: Decimal(64000), ETH: Decimal(3200), SOL: Decimal(160), DOGE: Decimal("0.16"), LTC: Decimal(80)}
TERMS = Terms(tiers={BTC: "T1", ETH: "T1", SOL: "T2", DOGE: "T3"})

trips = pytest.mark.trips
"""Names the checks (functions of their table) and guards that a test, or one case of it, trips in the running gate."""
policy = pytest.mark.policy
"""Names the limits under which a test runs, as sections with their changed keys."""

M = TypeVar("M", bound=Message)
T = TypeVar("T")
Changes = Mapping[str, Any]
NO_CHANGES: Changes = MappingProxyType({})
SLOW_MACHINE = frozenset({"state_store", "bus_store", "rate_budget"})
"""What stops entries for some seconds where disk or cores are busy: the store did not answer, nor the bus say, or what
was to be asked of the venue over a second was asked at once."""


def failed(decision: Decision) -> dict[str, CheckResult]:
    """Return the checks that objected, by rule."""
    return {found.rule: found for found in decision.failures}


def is_approved(decision: Decision) -> bool:
    return decision.verdict is Verdict.APPROVED


def approved(decision: Decision) -> Decision:
    """Return a decision that let its order out, or say what objected."""
    assert is_approved(decision), failed(decision)
    return decision


def policy_document(changes: Changes) -> dict[str, Any]:
    """Spell the demo's limits without pacing, with the changes of a test: sections with keys, or single numbers."""
    document = deepcopy(_shipped())
    document["frequency"] |= {
        "trades_per_day": 100000, "trades_per_hour": 100000, "entries_per_hour": 100000,
        "strategy_entries_per_day": 100000, "strategy_entries_per_hour": 100000, "between_trades_seconds": 0,
        "per_product_seconds": 0, "messages_per_second": 1000, "messages_per_minute": 10000,
    }  # fmt: skip
    document["cooldowns"] |= {
        "after_loss_seconds": 0, "after_stop_seconds": 0, "after_win_seconds": 0, "consecutive_losses_seconds": 0,
    }  # fmt: skip
    document["signals"] |= {"duplicate_window_seconds": 0}
    document["repeats"] |= {"same_orders": 10000}
    document["escalation"] |= {"infrastructure_denials": 1000, "rejections": 1000, "slippage_breaches": 1000}
    document["escalation"] |= {"strategy_denials": 1000, "strategy_denials_window_seconds": 0}
    document["limits"] |= {"notional_per_minute": 10**9, "notional_per_hour": 10**9, "notional_per_day": 10**9}
    document["exposure"] |= {"clusters": {}, "correlated_fraction": 1, "default_cluster_fraction": 1}
    document["limits"] |= {"volume_fraction": 10**9}
    document["kelly"] |= {"min_trades": 10**6}
    document["scaling"] |= {"regimes": dict.fromkeys(("bull", "chop", "bear", "crash", "unknown"), 1)}
    document["scaling"] |= {"target_volatility": 10**6, "unknown_volatility_multiplier": 1}
    document["breakers"] |= {
        "move_fraction": 1, "volatility_multiple": 10**6, "spread_multiple": 10**6, "spread_floor_bps": 0,
        "depth_share": 0, "depth_enough_notional": 10**9, "pause_seconds": 3,
    }  # fmt: skip
    document["venue_health"] |= {"pause_seconds": 3}
    document["working"] |= {"burst_pause_seconds": 3}
    document["prices"] |= {"period_collar_bps": 10000, "trade_distance_bps": 10000, "jump_floor_bps": 10000}
    document["marks"] |= {"stale_pause_seconds": 3}
    document["execution"] |= {"style": "taker"}
    for section, change in changes.items():
        document[section] = document[section] | change if isinstance(change, Mapping) else change
    return document


@cache
def _shipped() -> dict[str, Any]:
    return dict(yaml.safe_load(shipped_policy("demo").read_text()))


@dataclass(slots=True)
class Seen:
    """What was said on the bus since the stand began, in order."""

    decisions: list[Decision] = field(default_factory=list)
    orders: list[OrderEvent] = field(default_factory=list)
    fills: list[Fill] = field(default_factory=list)
    states: list[TradingState] = field(default_factory=list)
    accounts: list[AccountSnapshot] = field(default_factory=list)
    alerts: list[Alert] = field(default_factory=list)
    heartbeats: list[Heartbeat] = field(default_factory=list)
    ticks: dict[str, Tick] = field(default_factory=dict)
    books: dict[str, BookSummary] = field(default_factory=dict)
    feeds: dict[str, FeedStatus] = field(default_factory=dict)
    specs: dict[str, ProductSpec] = field(default_factory=dict)

    async def follow(self, bus: Bus) -> None:
        await bus.subscribe("decisions.>", decoded(Decision, _into(self.decisions)))
        await bus.subscribe("orders.>", decoded(OrderEvent, _into(self.orders)))
        await bus.subscribe("fills.>", decoded(Fill, _into(self.fills)))
        await bus.subscribe(subjects.STATE_TRADING, decoded(TradingState, _into(self.states)))
        await bus.subscribe(subjects.ACCOUNT, decoded(AccountSnapshot, _into(self.accounts)))
        await bus.subscribe(subjects.ALERTS, decoded(Alert, _into(self.alerts)))
        for zone in subjects.SERVICES:
            await bus.subscribe(subjects.heartbeats(zone), decoded(Heartbeat, _into(self.heartbeats)))
        await bus.subscribe("ticks.>", decoded(Tick, _latest(self.ticks)))
        await bus.subscribe("books.>", decoded(BookSummary, _latest(self.books)))
        await bus.subscribe("feed.>", decoded(FeedStatus, _latest(self.feeds)))
        await bus.subscribe(subjects.UNIVERSE, decoded(Universe, self._on_universe))

    async def _on_universe(self, universe: Universe, _received: object) -> None:
        self.specs |= {spec.product: spec for spec in universe.products}


def _into(kept: list[Any]) -> Callable[[Any, object], Any]:
    async def keep(message: Any, _received: object) -> None:
        kept.append(message)

    return keep


def _latest(kept: dict[str, Any]) -> Callable[[Any, object], Any]:
    async def keep(message: Any, _received: object) -> None:
        kept[message.product] = message

    return keep


class Hands:
    """The bus connections of the strategy and the operator, on a thread of their own; both stay over an outage."""

    def __init__(self, system: RealSystem, clock: Clock, seen: Seen) -> None:
        self.is_strategy_alive = True
        self.strategy_release = release_of(Zone.STRATEGY)
        self.strategy_shards = 1
        self.dead_shards = frozenset[int]()
        self._system, self._clock, self._seen = system, clock, seen
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._opened = AsyncExitStack()
        self._buses: dict[Zone, Bus] = {}
        self._beating: Future[None] | None = None

    def open(self) -> None:
        self._thread.start()
        self.run(self._open())
        self._beating = asyncio.run_coroutine_threadsafe(self._beat(), self._loop)

    def close(self) -> None:
        if self._beating is not None:
            self._beating.cancel()
        self.run(self._opened.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def run(self, work: Coroutine[Any, Any, T], seconds: float = PATIENCE) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(seconds)

    def bus(self, zone: Zone) -> Bus:
        return self._buses[zone]

    async def _open(self) -> None:
        for zone in (Zone.OPERATOR, Zone.STRATEGY):
            bus = await self._opened.enter_async_context(connect(self._system.nats_url, self._system.seed(zone), zone))
            self._buses[zone] = bus
        await self._seen.follow(self._buses[Zone.OPERATOR])

    async def _beat(self) -> None:
        """Beat for the strategy, until a test lets it die."""
        while True:
            if self.is_strategy_alive:
                for shard in set(range(self.strategy_shards)) - self.dead_shards:
                    await self._beat_once(shard)
            await asyncio.sleep(0.5)

    async def _beat_once(self, shard: int) -> None:
        beat = Heartbeat(
            service="strategy",
            version=self.strategy_release,
            is_ready=True,
            detail="test",
            configuration="0" * 64,
            drift="",
            published_at=self._clock.now(),
            shard=shard,
            shards=self.strategy_shards,
        )
        with contextlib.suppress(BusUnavailable):  # a beat is missed while the bus is away
            await self._buses[Zone.STRATEGY].publish(subjects.heartbeats(Zone.STRATEGY), beat)


@dataclass(slots=True)
class Stand:
    """The running system and what a test may do with it."""

    system: RealSystem
    clock: Clock
    seen: Seen
    hands: Hands
    changes: Changes = field(default_factory=dict)
    _count: "itertools.count[int]" = field(default_factory=itertools.count)

    # --- the strategy's hand

    def enter(self, product: str = BTC, **changes: Any) -> Decision:
        """Ask for an entry and return the gate's decision; `changes` are fields of the signal.

        What is denied because this machine is slow is asked again; a test that is about that asks by `ask`.
        """
        deadline = time.monotonic() + PATIENCE
        while True:
            until(lambda: not any(map(self.cause, SLOW_MACHINE)), lambda: f"a machine with time: {self._why()}")
            decision = self.decided(self.ask(Action.ENTER, product, **changes))
            refusal = failed(decision).get("state_allows")
            if refusal is None or SLOW_MACHINE.isdisjoint(refusal.limit.split(",")) or time.monotonic() > deadline:
                return decision

    def exit(self, product: str = BTC, **changes: Any) -> Decision:
        """Ask for an exit and return the gate's decision."""
        return self.decided(self.ask(Action.EXIT, product, **changes))

    def ask(self, action: Action, product: str = BTC, **changes: Any) -> Signal:
        """Publish a signal and do not wait; `stop` and `target` are short for their prices, `age` makes it older."""
        signal = self.signal(action, product, **changes)
        self.send(signal)
        return signal

    def signal(self, action: Action, product: str = BTC, **changes: Any) -> Signal:
        """Make a signal as the strategy `trend` would; buys to enter, and closes whatever is held."""
        now = self.clock.now() - changes.pop("age", timedelta())
        is_long = action is Action.ENTER or self.position(product) < 0
        tick = self.seen.ticks.get(product)
        fields = {
            "signal_id": SignalId(f"scenario-{next(self._count)}-{now.timestamp()}"),
            "strategy": "trend",
            "product": product,
            "action": action,
            "side": Side.BUY if is_long else Side.SELL,
            "confidence": Decimal(1),
            "reference_price": PRICES.get(product, Decimal(100)) if tick is None else tick.mid,
            "stop_price": changes.pop("stop", None),
            "target_price": changes.pop("target", None),
            "reason": "scenario",
            "evidence": {},
            "parameters_version": "1",
            "caused_by": "scenario",
            "created_at": now,
            "expires_at": now + timedelta(seconds=60),
        }
        return Signal.model_validate(fields | changes)

    def send(self, signal: Signal) -> None:
        """Publish a signal as the strategy; the same one may be sent again."""
        name = f"{signal.signal_id}-{next(self._count)}"
        strategy = self.hands.bus(Zone.STRATEGY)
        subject = subjects.signals(signal.strategy, signal.product)
        self.hands.run(strategy.store(subject, signal, message_id=name))

    def decided(self, signal: Signal) -> Decision:
        """Wait for the newest decision on a signal."""

        def verdicts() -> list[Decision]:
            return [one for one in self.seen.decisions if one.signal.signal_id == signal.signal_id]

        return list(until(verdicts, f"a decision on {signal.signal_id}"))[-1]

    def hold(self, product: str = BTC, **changes: Any) -> Decimal:
        """Enter, wait until it is filled and counted, and return the position; what finds nothing is tried again."""
        for _ in range(2):
            decision = self.enter(product, **changes)
            approved(decision)
            self.settled()
            if self.position(product):
                break
        assert self.position(product), f"nothing was filled of {decision.intent_id}"
        return self.position(product)

    def leave(self, product: str = BTC, **changes: Any) -> Decision:
        """Exit, and wait until nothing is held."""
        decision = self.exit(product, **changes)
        approved(decision)
        until(lambda: not self.position(product), f"no position in {product}")
        self.settled()
        return decision

    # --- the operator's hand

    def command(self, name: str, payload: bytes = b"") -> None:
        """Publish `control.<name>`: kill, reset, pause, resume, reduce_only, flatten."""
        operator = self.hands.bus(Zone.OPERATOR)
        message_id = f"{name}-{next(self._count)}-{self.clock.wall().timestamp()}"
        self.hands.run(operator.store(f"control.{name}", payload, message_id=message_id))

    def reset(self, reason: str = "seen") -> None:
        """Reset, and excuse the orders that the causes name: a hundred at a time, until they name none."""
        orders = self._named_orders()
        self.command("reset", orjson.dumps({"reason": reason, "orders": orders}))
        if orders:
            until(lambda: self._named_orders() != orders, "the next orders to excuse, or none")
            if self._named_orders():
                self.reset(reason)

    def _named_orders(self) -> list[str]:
        return [order for cause in self.state().causes for order in cause.orders]

    def with_policy(self, **changes: Any) -> None:
        """Restart the gate under the base policy with these changes; nothing happens if it runs under them already."""
        if changes == self.changes and self.system.children[GATE].is_alive:
            return
        self.changes = changes
        self.system.policy_file.write_text(yaml.safe_dump(policy_document(changes)))
        self.restart(GATE)
        self.until_gone("starting")
        self.every_market_heard()

    # --- the market and the venue

    def price(self, product: str, mid: Decimal | str | int, spread_bps: str = "2", depth: str = "1000000") -> None:
        """Hold a market at a price, and wait until its tick and its book are on the bus.

        `depth` is the notional of each side: a tenth at the touch, half within 50 bps, all within 100 bps.
        """
        self._price_is(product, Decimal(mid), spread_bps, depth)()

    def _price_is(
        self, product: str, mid: Decimal, spread_bps: str = "2", depth: str = "1000000"
    ) -> Callable[[], object]:
        """Hold a market at a price, and return how to wait for it."""
        body = {"product_id": product, "mid": str(mid), "spread_bps": spread_bps, "depth_notional": depth}
        self.system.ask_exchange("/market", body)
        touch = Decimal(depth) / 10

        def has_arrived() -> bool:
            tick, book = self.seen.ticks.get(product), self.seen.books.get(product)
            if tick is None or book is None or (tick.bid, tick.ask) != (book.bid, book.ask):
                return False
            is_deep = abs(book.bid_quantity * book.bid + book.ask_quantity * book.ask - 2 * touch) <= touch * 6 / 5
            is_there = abs(tick.mid / mid - 1) < Decimal("0.00005")
            width = (tick.ask - tick.bid) / tick.mid * 10000
            return is_there and is_deep and abs(width - Decimal(spread_bps)) < 1

        return lambda: until(has_arrived, f"{product} at {mid} on the bus")

    def publish(self, subject: str, message: Message) -> None:
        """Say something as market-data does, beside what that says itself."""

        async def work() -> None:
            system, zone = self.system, Zone.MARKET_DATA
            async with connect(system.nats_url, system.seed(zone), zone) as bus:
                await bus.store(subject, message, message_id=f"scenario-{next(self._count)}")

        self.hands.run(work())

    def until_old(self, product: str, seconds: float, *heard: Mapping[str, Tick] | Mapping[str, BookSummary]) -> None:
        """Wait until the newest word on a product is older than this; `heard` of both ticks and books unless named."""

        def is_old() -> bool:
            words = [kept[product] for kept in heard or (self.seen.ticks, self.seen.books)]
            return all(self.clock.now() - word.received_at > timedelta(seconds=seconds) for word in words)

        until(is_old, f"no word on {product} for {seconds:g} s")

    def let_go(self, product: str) -> None:
        """Set a market free: it walks as exchange-sim's generator likes."""
        self.market(product_id=product, unpin=True)

    def market(self, **body: Any) -> None:
        """Change a market: frozen, flags, jump_percent, margin_window, ... (exchange-sim's POST /market)."""
        self.system.ask_exchange("/market", body)

    def fault(self, kind: str, match: str = "", times: int = 1, value: int = 0) -> None:
        """Arm a fault of the venue; -1 times never wears out, 0 disarms (exchange-sim's POST /faults)."""
        self.system.ask_exchange("/faults", {"kind": kind, "match": match, "times": times, "value": value})

    def delays(self, **milliseconds: int) -> None:
        """Let orders stay PENDING (`pending_ms`), unseen (`visibility_ms`) or in CANCEL_QUEUED (`cancel_ms`)."""
        self.system.ask_exchange("/delays", milliseconds)

    def external(self, product: str, side: str, size: str, price: str | None = None, **changes: Any) -> Any:
        """Place an order with the account's other hand (`stranger=True`: somebody else's); limit GTC, or market."""
        terms: dict[str, Any] = {"market_market_ioc": {"base_size": size}}
        if price is not None:
            terms = {"limit_limit_gtc": {"base_size": size, "limit_price": price, "post_only": False}}
        body = {"client_order_id": f"external-{next(self._count)}", "product_id": product, "side": side.upper()}
        return self.system.ask_exchange("/orders/external", {**body, "order_configuration": terms, **changes})

    def transfer(self, currency: str, amount: str) -> None:
        """Pay money into the account at the venue, or out of it."""
        self.system.ask_exchange("/balances", {"currency": currency, "amount": amount})

    def books(self) -> dict[str, Any]:
        """Return the venue's own books: orders, fills, balances, futures, events."""
        return dict(self.system.ask_exchange("/books"))

    def orders(self, product: str | None = None) -> list[dict[str, Any]]:
        """Return the account's orders at the venue since this test began."""
        known = [row for row in self.books()["orders"] if row["owner"] != "stranger"]
        return [row for row in known[self._orders_before :] if product is None or row["product_id"] == product]

    _orders_before: int = 0

    # --- what the gate says

    def state(self) -> TradingState:
        """Return the newest word on the trading state."""
        return self.seen.states[-1]

    def account(self) -> AccountSnapshot:
        """Return the newest snapshot of the account."""
        return self.seen.accounts[-1]

    def position(self, product: str) -> Decimal:
        """Return what the gate last said is held."""
        held = [one.quantity for one in self.account().positions if one.product == product]
        return held[0] if held else Decimal(0)

    def cause(self, code: str, product: str | None = None) -> Cause | None:
        """Return the cause that holds now, if it does."""
        now = self.clock.now()
        causes = [one for one in self._causes() if one.until is None or now < one.until]
        return next((one for one in causes if one.code == code and product in {None, one.product}), None)

    def until_cause(self, code: str, within: float | None = None, product: str | None = None) -> Cause:
        """Wait until a cause holds; `within` so many seconds where that is what the gate promises."""

        def what() -> str:
            return f"cause {code}, not {self._why()}"

        if within is None:
            found = until(lambda: self.cause(code, product), what)
        else:
            found = promptly(lambda: self.cause(code, product), what, within)
        assert isinstance(found, Cause)
        return found

    def until_gone(self, code: str) -> None:
        """Wait until no cause of this code holds."""
        until(lambda: self.cause(code) is None, lambda: f"the end of {self._why()}")

    def until_status(self, status: TradingStatus | str) -> TradingState:
        """Wait for a trading state of the whole gate."""
        until(lambda: self.state().status == status, lambda: f"state {status}: {self._why()}")
        return self.state()

    def trading(self) -> None:
        """Wait until nothing restricts trading."""
        since = self.clock.now()
        until(lambda: self.is_calm(since), lambda: f"a calm gate: {self._why()}")
        self.every_market_heard()

    def is_calm(self, since: datetime) -> bool:
        """Whether the gate says that nothing restricts trading; earlier words may be those of one that has ended."""
        is_heard = self.seen.states and self.seen.accounts and self.state().published_at > since
        return bool(is_heard) and not self.state().causes

    def every_market_heard(self) -> None:
        """Wait for a tick and a book of every product since the gate started: before, it denies for want of them."""
        products = self.system.terms.tiers.keys()
        until(lambda: products <= self.seen.ticks.keys() & self.seen.books.keys(), "a tick and a book of every product")
        until(lambda: all(feed.is_clean for feed in self.seen.feeds.values()), "clean feeds")

    def settled(self) -> None:
        """Wait until no order of ours is open; one whose outcome is unknown takes 19 s to be declared dead."""
        since = self.clock.now()

        def is_settled() -> bool:
            return self.account().published_at > since and not self.account().open_orders

        until(is_settled, lambda: f"no open orders: {self.account().open_orders}", 120)

    def _causes(self) -> tuple[Cause, ...]:
        return self.state().causes if self.seen.states else ()

    def _why(self) -> str:
        return (
            ", ".join(f"{cause.code} {cause.product or ''}: {cause.detail}" for cause in self._causes()) or "no cause"
        )

    def journal(self) -> list[records.Record]:
        """Read what the gate has written down; what was read before is not parsed again."""
        with (self.system.folder.of(GATE) / "journal" / "gate.jsonl").open("rb") as lines:
            lines.seek(self._journal_end)
            for line in itertools.takewhile(lambda line: line.endswith(b"\n"), lines):
                self._journal.append(records.parse(orjson.loads(line)["payload"]))
                self._journal_end += len(line)
        return list(self._journal)

    _journal: list[records.Record] = field(default_factory=list)
    _journal_end: int = 0

    def history(self, stream: str, model: type[M], subject: str = ">") -> list[M]:
        """Read a stream back as the operator."""

        async def work() -> list[M]:
            bus = self.hands.bus(Zone.OPERATOR)
            return [model.decode(received.payload) async for received in bus.history(stream, subject_filter=subject)]

        return self.hands.run(work())

    def restart_with(self, name: str, *before: str, **settings: Any) -> None:
        """Restart a service with other settings, and words before its command line; the next test undoes it."""
        profile = self.system.profile_with(name, settings)
        self.system.children[name].argv = [*before, *self.system.service_argv(name, profile)]
        self.restart(name)

    # --- processes: nats, redis, exchange-sim, market-data, executor, risk-gate

    def kill9(self, name: str) -> None:
        """End a process without warning."""
        self.system.children[name].send(signals.SIGKILL)
        self.system.children[name].ended()

    def stop(self, name: str) -> int:
        """End a process in order (SIGTERM) and return its exit code."""
        self.system.children[name].send(signals.SIGTERM)
        return self.system.children[name].ended()

    def freeze(self, name: str) -> None:
        """Stop a process in the middle of whatever it does (SIGSTOP)."""
        self.system.children[name].send(signals.SIGSTOP)

    def thaw(self, name: str) -> None:
        """Let a frozen process go on (SIGCONT)."""
        self.system.children[name].send(signals.SIGCONT)

    def start(self, name: str) -> None:
        """Start a process that has ended; a service is ready when this returns."""
        if name == GATE:
            self.seen.states.clear()
            self.seen.accounts.clear()
        self.system.children[name].start()
        for server, port in (("nats", self.system.ports.nats), ("redis", self.system.ports.redis)):
            if name == server:
                self.system.wait_for_port(server, port)
        if name in self.system.ports.health:
            self.system.wait_until_ready(name)
        if name == GATE:
            until(lambda: self.seen.states and self.seen.accounts, "the gate's first words")
            self.seen.ticks.clear()  # the gate hears of a market with the next tick and book that we hear
            self.seen.books.clear()

    def restart(self, name: str) -> None:
        """End a process, if it runs, and start it again."""
        self.system.children[name].stop()
        self.start(name)

    def log(self, name: str) -> str:
        """Return what a process wrote."""
        return self.system.children[name].log.read_text()

    # --- before a test

    def calm(self, changes: Changes) -> None:
        """Undo what tests before did, and run under this test's policy."""
        self.hands.is_strategy_alive = True
        self.hands.strategy_release = release_of(Zone.STRATEGY)
        self.hands.strategy_shards, self.hands.dead_shards = 1, frozenset()
        self._revive("exchange-sim")
        self._calm_venue()  # first: nobody gets ready at a venue that is told to fail
        self.revive()
        prices = {product: PRICES.get(product, PRICES[BTC]) for product in self.system.terms.tiers}
        for arrived in [self._price_is(product, price) for product, price in prices.items()]:
            arrived()
        self._calm_gate(changes)
        self._orders_before = sum(row["owner"] != "stranger" for row in self.books()["orders"])

    def revive(self) -> None:
        """Let every process run as it should, as a supervisor would."""
        for name in self.system.children:
            self._revive(name)

    def _revive(self, name: str) -> None:
        child, plain = self.system.children[name], self.system.service_argv(name, self.system.folder.profile)
        if name in self.system.ports.health and child.argv != plain:
            child.stop()
            child.argv = plain
        if child.is_alive:
            self.thaw(name)
        else:
            self.start(name)

    def _calm_venue(self) -> None:
        for armed in self.system.ask_exchange("/faults", {"kind": "ws_gap", "times": 0})["armed"]:
            self.fault(armed["kind"], times=0)
        self.delays(pending_ms=0, visibility_ms=0, cancel_ms=0)
        flags = dict.fromkeys(("is_disabled", "trading_disabled", "cancel_only", "limit_only", "post_only"), False)
        self.market(frozen=False, spread_multiplier="1", depth_multiplier="1", flags=flags)

    def _calm_gate(self, changes: Changes) -> None:
        until(lambda: self.seen.states and self.seen.accounts, "the gate's first words")
        if self.state().causes:
            self.reset()
            self.command("resume")
        if any(one.quantity for one in self.account().positions):
            self.command("flatten")
            until(lambda: not any(one.quantity for one in self.account().positions), "flat books")
            self.command("resume")
        self.with_policy(**changes)
        if self.state().causes:  # what the limits of the test before left behind ends under those of this one
            self.reset()
            self.command("resume")
        self.trading()
        self.settled()


def open_stand(
    folder: Path,
    terms: Terms,
    nurseries: Nurseries | None = None,
    ports: Ports | None = None,
    changes: Changes = NO_CHANGES,
) -> Stand:
    """Start a system and take it in hand; `close_stand` ends it. Without nurseries each service starts from nothing."""
    policy_file = folder / "policy.yaml"
    policy_file.write_text(yaml.safe_dump(policy_document(changes)))
    system = RealSystem(folder / "run", terms, policy_file, nurseries, ports or choose_ports(None))
    try:
        system.start()
        clock, seen = clock_of(system.clock), Seen()
        hands = Hands(system, clock, seen)
        hands.open()
    except BaseException:
        system.stop()
        raise
    return Stand(system, clock, seen, hands)


def close_stand(stand: Stand) -> None:
    """Let go, and leave nothing running."""
    stand.hands.close()
    stand.system.stop()


def market_time(stand: Stand) -> datetime:
    """Return the market's time."""
    return stand.clock.now()
