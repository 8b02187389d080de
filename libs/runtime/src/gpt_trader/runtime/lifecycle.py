"""How a service starts, ends, and says which way it ended."""

import asyncio
import gc
import signal
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import timedelta
from enum import IntEnum

import uvloop

from gpt_trader.contracts.sharding import WHOLE, Shard
from gpt_trader.contracts.subjects import alerts, heartbeats
from gpt_trader.contracts.telemetry import Alert, Heartbeat, Severity
from gpt_trader.runtime import logs
from gpt_trader.runtime.bus import Bus, BusError, BusUnavailable, FencedOff, SubscriberFailed
from gpt_trader.runtime.clock import Clock
from gpt_trader.runtime.health import Health
from gpt_trader.runtime.journal import JournalCorrupt, JournalInUse
from gpt_trader.runtime.release import release_of
from gpt_trader.runtime.secret_files import KeyUnusable
from gpt_trader.runtime.settings import REFUSED, ServiceSettings, fingerprint
from gpt_trader.runtime.settings_watch import SettingsWatch

log = logs.get("lifecycle")

HEARTBEAT_EVERY = timedelta(seconds=1)
"""Real time between two heartbeats."""
PATIENCE = timedelta(seconds=15)
"""Longer than any service needs to end in order, and well within the 30 s that a supervisor gives it by default."""
_AGAIN_EVERY = 1.0
_COLLECT_EVERY = (10_000, 20, 20)
"""Containers made and not freed, and collections of the younger generation, until one is collected."""


class Exit(IntEnum):
    """What a supervisor learns from the exit code."""

    CLEAN = 0
    BUG = 1
    SETTINGS = REFUSED
    FENCED = 3
    BUS = 4


def run(main: Callable[[], Coroutine[object, object, None]], patience: timedelta = PATIENCE) -> int:
    """Run a service until it ends or SIGTERM/SIGINT cancels it; its `finally` blocks drain. Returns the exit code.

    A task that was told to end, by a signal or by the failure of another, and still runs after this patience is told
    again, until it does: half a service neither works nor is started anew.
    """
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_supervised(main, patience))


def leaves(error: BaseException) -> list[BaseException]:
    """Flatten exception groups, however deep; a plain exception is its own leaf."""
    if isinstance(error, BaseExceptionGroup):
        return [leaf for part in error.exceptions for leaf in leaves(part)]
    return [error]


async def beat(bus: Bus, health: Health, clock: Clock, settings: ServiceSettings, shard: Shard = WHOLE) -> None:
    """Publish a heartbeat each second of real time, for ever; a second without the bus is a heartbeat missed.

    With it goes what the service was told, and whether the files still say so: a difference is one alert.
    """
    service = health.service
    release, configuration, watch = release_of(service), fingerprint(settings), SettingsWatch(settings, health)
    while True:
        is_drifted = watch.look()
        heartbeat = Heartbeat(
            service=service,
            version=release,
            is_ready=health.is_ready,
            detail=health.detail,
            configuration=configuration,
            drift=watch.drift,
            published_at=clock.now(),
            shard=shard.index,
            shards=shard.count,
        )
        try:
            await bus.publish(heartbeats(service), heartbeat)
            if is_drifted:
                log.warning("settings_drift", service=service, what=watch.drift)
                await bus.publish(alerts(Severity.WARNING), _drift_alert(service, watch.drift, clock))
        except BusUnavailable as error:
            log.warning("heartbeat_missed", reason=str(error))
        await asyncio.sleep(HEARTBEAT_EVERY.total_seconds())


def _drift_alert(service: str, what: str, clock: Clock) -> Alert:
    return Alert(
        severity=Severity.WARNING,
        code="settings_drift",
        service=service,
        text=what,
        hint="restart the service to take the declared settings, or put the file back",
        occurred_at=clock.now(),
    )


def heed_cancel() -> None:
    """End this task if it was told to end; call it in each round of a loop that catches timeouts.

    A timeout that runs out in the same moment turns the cancellation into a TimeoutError (seen on uvloop after the
    process stood still), and the loop would go on for ever.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def spare_what_is_there() -> None:
    """Leave what a service made while it started out of every later garbage collection, and collect less often.

    A full collection over all that it loaded holds its one thread up for tens of milliseconds.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_COLLECT_EVERY)


async def _supervised(main: Callable[[], Coroutine[object, object, None]], patience: timedelta) -> int:
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(main())
            for name in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(name, task.cancel)
            _Reminder(loop, task, patience.total_seconds()).look()
    except BaseExceptionGroup as error:
        return _code_of(error)
    log.info("stopped", exit_code=Exit.CLEAN)
    return Exit.CLEAN


@dataclass(slots=True)
class _Reminder:
    """Tells those again who were told to end and go on: a time limit that ran out then can have eaten the word.

    Only when the whole service is to end: a task that outlived the failure of its own group looks told for ever (a
    TaskGroup that fails while it is waited for does not take its word back).
    """

    loop: asyncio.AbstractEventLoop
    service: asyncio.Task[None]
    patience: float
    since: float | None = None
    """When the service was first seen to be told, on the loop's clock."""

    def look(self) -> None:
        now = self.loop.time()
        if self.since is None and self.service.cancelling():
            self.since = now
        if self.since is not None and now - self.since >= self.patience:
            for task in asyncio.all_tasks(self.loop):
                if task.cancelling():
                    log.warning("told_to_end_again", task=str(task.get_coro()))
                    task.cancel()
        self.loop.call_later(_AGAIN_EVERY, self.look)


def _code_of(error: BaseExceptionGroup[BaseException]) -> Exit:
    """Find the most telling cause: being fenced off matters more than the bus errors around it."""
    for kind, code in _CODES:
        found = error.subgroup(kind)
        if found is not None:
            return _reported(found, code)
    lost = error.subgroup(BusError)
    return _reported(error if lost is None else lost, Exit.BUG if lost is None else Exit.BUS)


_CODES: tuple[tuple[type[Exception], Exit], ...] = (
    (FencedOff, Exit.FENCED),
    (KeyUnusable, Exit.SETTINGS),
    (JournalCorrupt, Exit.SETTINGS),
    (JournalInUse, Exit.SETTINGS),
    (SubscriberFailed, Exit.BUG),
)


def _reported(error: BaseExceptionGroup[BaseException], code: Exit) -> Exit:
    reason = "; ".join(repr(leaf) for leaf in leaves(error))
    if code is Exit.BUG:
        log.critical("crashed", reason=reason, exit_code=code, exc_info=error)
    else:
        log.error("stopped", reason=reason, exit_code=code)
    return code
