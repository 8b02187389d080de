"""(d) From publishing a kill to the last order that the venue accepted, and to the gate's acknowledgement."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from harness import RunningSystem
from records import Scale, accepted_at, instant, journaled

from gpt_trader.contracts.account import TradingState, TradingStatus
from gpt_trader.contracts.subjects import CONTROL_KILL, CONTROL_RESET, STATE_TRADING, Zone
from gpt_trader.runtime.bus import Bus, Received

_TRIAL_SECONDS = 30
_SETTLED_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Trial:
    """Wall-clock nanoseconds; `freed` is when the reset that ended the trial was published."""

    killed: int
    acknowledged: int
    freed: int


@dataclass(slots=True)
class _Watch:
    """What the operator hears; the last word on trading, and how many orders went by."""

    status: TradingStatus | None = None
    said_at: int = 0
    orders: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def on_state(self, received: Received) -> None:
        self.status = TradingState.decode(received.payload).status
        self.said_at = time.time_ns()
        self.changed.set()

    async def on_order(self, _received: Received) -> None:
        self.orders += 1
        self.changed.set()

    async def until(self, *, is_halted: bool) -> int:
        async with asyncio.timeout(_TRIAL_SECONDS):
            while (self.status is TradingStatus.HALTED) is not is_halted:
                self.changed.clear()
                await self.changed.wait()
        return self.said_at

    async def until_orders(self, count: int) -> None:
        wanted = self.orders + count
        async with asyncio.timeout(_TRIAL_SECONDS):
            while self.orders < wanted:
                self.changed.clear()
                await self.changed.wait()


def trials(running: RunningSystem, count: int, rng: Random) -> list[Trial]:
    """Kill at random moments while orders flow, wait for the acknowledgement and a moment more, reset, repeat."""

    async def work(bus: Bus) -> list[Trial]:
        watch, done = _Watch(), []
        await bus.subscribe(STATE_TRADING, watch.on_state)
        await bus.subscribe("orders.>", watch.on_order)
        for number in range(count):
            await watch.until_orders(1)
            await asyncio.sleep(rng.uniform(0, 0.3))
            killed = time.time_ns()
            await bus.publish(CONTROL_KILL, b"bench")
            acknowledged = await watch.until(is_halted=True)
            await asyncio.sleep(_SETTLED_SECONDS)
            freed = time.time_ns()
            done.append(Trial(killed, acknowledged, freed))
            await bus.publish(CONTROL_RESET, b"")
            await watch.until(is_halted=False)
            if (number + 1) % 20 == 0:
                print(f"    kill: {number + 1}/{count} trials", flush=True)
        return done

    return running.as_zone(Zone.OPERATOR, work)


@dataclass(frozen=True, slots=True)
class Outcome:
    """Milliseconds since each kill was published, and what must be zero."""

    to_last_order: tuple[float, ...]
    to_latch: tuple[float, ...]
    to_acknowledgement: tuple[float, ...]
    orders_after_kill: int
    orders_after_acknowledgement: int


def _is_kill(record: dict[str, Any]) -> bool:
    """Say whether a record latches a kill: heard as it was published, or read back from the stream."""
    return record.get("subject") == CONTROL_KILL or record.get("cause", {}).get("code") == "kill"


def outcome(running: RunningSystem, done: Sequence[Trial]) -> Outcome:
    """Compare the trials with what the venue accepted and when, and with the gate's journal."""
    accepted = sorted(accepted_at(running).values())
    scale = Scale.of(running.manifest.clock)
    records = journaled(running.run_dir / "risk-gate", {"command_received", "cause_raised"})
    at = [scale.wall_ns(instant(record["at"])) for record in records if _is_kill(record)]
    latches = sorted(one for one in at if one is not None)
    latched = [next(one for one in latches if one >= trial.killed) for trial in done]
    last, late, after = [], 0, 0
    for trial in done:
        within = [at for at in accepted if trial.killed < at < trial.freed]
        last.append((max(within) - trial.killed) / 1e6 if within else 0.0)
        after += len(within)
        late += sum(at > trial.acknowledged for at in within)
    return Outcome(
        to_last_order=tuple(last),
        to_latch=tuple((at - trial.killed) / 1e6 for at, trial in zip(latched, done, strict=True)),
        to_acknowledgement=tuple((trial.acknowledged - trial.killed) / 1e6 for trial in done),
        orders_after_kill=after,
        orders_after_acknowledgement=late,
    )
