"""The real system on loopback: bus, state store, venue, market-data, executor and the gate under test."""

import asyncio
import os
import signal as signals
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from gpt_trader.console.connection import Manifest
from gpt_trader.console.stack.folder import RunFolder
from gpt_trader.console.stack.local import LocalStack
from gpt_trader.console.stack.plan import Plan, choose_ports
from gpt_trader.console.stack.policies import shipped_policy
from gpt_trader.contracts import subjects
from gpt_trader.contracts.account import AccountSnapshot, TradingState, TradingStatus
from gpt_trader.contracts.decisions import Decision
from gpt_trader.contracts.ids import SignalId
from gpt_trader.contracts.market import BookSummary, Tick
from gpt_trader.contracts.orders import Fill
from gpt_trader.contracts.signals import Action, Side, Signal
from gpt_trader.contracts.subjects import Zone
from gpt_trader.runtime.bus import Bus, connect, decoded
from gpt_trader.runtime.clock import Clock, SystemClock, clock_of

BTC = "BTC-USD"


@dataclass(slots=True)
class Seen:
    """What the gate said, in order."""

    decisions: list[Decision] = field(default_factory=list)
    fills: list[Fill] = field(default_factory=list)
    states: list[TradingState] = field(default_factory=list)
    accounts: list[AccountSnapshot] = field(default_factory=list)
    ticks: dict[str, Tick] = field(default_factory=dict)
    books: list[BookSummary] = field(default_factory=list)

    async def follow(self, bus: Bus) -> None:
        async def on_tick(tick: Tick, _received: object) -> None:
            self.ticks[tick.product] = tick

        await bus.subscribe("decisions.>", decoded(Decision, _into(self.decisions)))
        await bus.subscribe("fills.>", decoded(Fill, _into(self.fills)))
        await bus.subscribe(subjects.STATE_TRADING, decoded(TradingState, _into(self.states)))
        await bus.subscribe(subjects.ACCOUNT, decoded(AccountSnapshot, _into(self.accounts)))
        await bus.subscribe("ticks.>", decoded(Tick, on_tick))
        await bus.subscribe("books.>", decoded(BookSummary, _into(self.books)))


def _into(kept: list[Any]) -> Callable[[Any, object], Any]:
    async def keep(message: Any, _received: object) -> None:
        kept.append(message)

    return keep


@dataclass(slots=True)
class GateStack:
    """A running system with the operator's and the strategy's hands on it."""

    local: LocalStack
    manifest: Manifest
    operator: Bus
    strategy: Bus
    clock: Clock
    seen: Seen
    signals: int = 0

    @property
    def folder(self) -> RunFolder:
        return self.local.folder

    async def signal(self, action: Action = Action.ENTER, product: str = BTC, **changes: object) -> Decision:
        """Ask as a strategy would, and wait for the verdict."""
        self.signals += 1
        now = self.clock.now()
        fields = {
            "signal_id": SignalId(f"it-{self.signals}-{now.timestamp()}"),
            "strategy": "trend",
            "product": product,
            "action": action,
            "side": Side.BUY if action is Action.ENTER else Side.SELL,
            "confidence": Decimal(1),
            "reference_price": self.seen.ticks[product].mid,
            "stop_price": None,
            "target_price": None,
            "reason": "test",
            "evidence": {},
            "parameters_version": "1",
            "caused_by": "test",
            "created_at": now,
            "expires_at": now + timedelta(seconds=60),
        }
        signal = Signal.model_validate(fields | changes)
        known = len(self.seen.decisions)
        await self.strategy.store(
            subjects.signals("trend", product), signal, message_id=f"{signal.signal_id}-{self.signals}"
        )
        await until(lambda: bool(self._verdicts(signal, known)), "a verdict")
        return self._verdicts(signal, known)[0]

    def _verdicts(self, signal: Signal, known: int) -> list[Decision]:
        return [one for one in self.seen.decisions[known:] if one.signal.signal_id == signal.signal_id]

    async def command(self, subject: str, payload: bytes = b"") -> None:
        await self.operator.store(subject, payload, message_id=f"{subject}-{self.clock.wall().timestamp()}")

    async def status(self, status: TradingStatus) -> TradingState:
        await until(lambda: bool(self.seen.states) and self.seen.states[-1].status is status, f"state {status}")
        return self.seen.states[-1]

    def position(self, product: str = BTC) -> Decimal:
        """Return what the gate last said is held."""
        held = [one.quantity for one in self.seen.accounts[-1].positions if one.product == product]
        return held[0] if held else Decimal(0)

    def crash(self) -> None:
        """Kill the gate without warning."""
        os.kill(self.process("risk-gate").pid, signals.SIGKILL)

    async def restart(self) -> None:
        """Start the gate again, as a supervisor would, and forget what it said before."""
        await until(lambda: self.process("risk-gate").pid is None, "the gate's end")
        await asyncio.sleep(0.1)
        self.seen.states.clear()
        self.seen.accounts.clear()
        await self.process("risk-gate").start()

    def process(self, name: str) -> Any:
        return next(process for process in self.local.processes if process.name == name)

    async def is_ready(self, service: str) -> bool:
        address = next(one.health for one in self.manifest.processes if one.name == service)
        try:
            async with aiohttp.ClientSession() as session, session.get(f"{address}/readyz") as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False


async def until(holds: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
    try:
        async with asyncio.timeout(seconds):
            while not holds():  # noqa: ASYNC110 - what is waited for is in another process
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"waited {seconds:g} s for {what}") from None


def a_loose_policy(path: Path, **changes: object) -> Path:
    """Write the demo's limits without pauses between trades; changes are spelled `section__key=value`."""
    document = yaml.safe_load(shipped_policy("demo").read_text())
    document["frequency"] |= {
        "between_trades_seconds": 0, "per_product_seconds": 0, "trades_per_hour": 1000, "entries_per_hour": 1000,
        "strategy_entries_per_day": 10000, "strategy_entries_per_hour": 10000,
        "messages_per_second": 1000, "messages_per_minute": 1000,
    }  # fmt: skip
    document["cooldowns"] |= {
        "after_loss_seconds": 0, "after_stop_seconds": 0, "after_win_seconds": 0, "consecutive_losses_seconds": 0,
    }  # fmt: skip
    document["signals"]["duplicate_window_seconds"] = 0
    document["repeats"]["same_orders"] = 1000
    document["execution"]["style"] = "taker"
    for name, value in changes.items():
        section, _, key = name.partition("__")
        document[section][key] = value
    path.write_text(yaml.safe_dump(document))
    return path


@asynccontextmanager
async def gate_stack(folder: Path, **changes: object) -> AsyncIterator[GateStack]:
    """Start everything, wait until the gate trades, and always stop."""
    plan = Plan(
        run_dir=folder / "run",
        products=(BTC, "ETH-USD"),
        intervals=("1h", "1m"),
        strategies=("trend",),
        rate=Decimal(5),
        start=datetime(2026, 3, 2, 9, 0, tzinfo=UTC),
        seed=7,
        policy=a_loose_policy(folder / "policy.yaml", **changes),
        replay=(),
        ticks_per_second=10,
        records=False,
    )
    run = RunFolder(plan.run_dir)
    run.begin()
    local = LocalStack(plan=plan, ports=choose_ports(None), folder=run, clock=SystemClock(), say=lambda _line: None)
    try:
        manifest = await local.start()
        async with (
            connect(manifest.nats_url, run.seed("operator"), Zone.OPERATOR) as operator,
            connect(manifest.nats_url, run.seed("strategy"), Zone.STRATEGY) as strategy,
        ):
            stack = GateStack(local, manifest, operator, strategy, clock_of(manifest.clock), Seen())
            await stack.seen.follow(operator)
            await until(lambda: BTC in stack.seen.ticks and bool(stack.seen.accounts), "ticks and an account")
            await until(lambda: any(book.product == BTC for book in stack.seen.books), "a book")
            await stack.status(TradingStatus.ACTIVE)
            yield stack
    finally:
        await local.stop()
