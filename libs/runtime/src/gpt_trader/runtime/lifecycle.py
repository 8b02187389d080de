"""How a service starts, ends, and says which way it ended."""

import asyncio
import signal
from collections.abc import Callable, Coroutine
from datetime import timedelta
from enum import IntEnum
from importlib.metadata import PackageNotFoundError, version

import uvloop

from gpt_trader.contracts.subjects import heartbeats
from gpt_trader.contracts.telemetry import Heartbeat
from gpt_trader.runtime import logs
from gpt_trader.runtime.bus import Bus, BusError, BusUnavailable, FencedOff, SubscriberFailed
from gpt_trader.runtime.clock import Clock
from gpt_trader.runtime.health import Health
from gpt_trader.runtime.secret_files import KeyUnusable
from gpt_trader.runtime.settings import REFUSED

log = logs.get("lifecycle")

HEARTBEAT_EVERY = timedelta(seconds=1)
"""Real time between two heartbeats."""


class Exit(IntEnum):
    """What a supervisor learns from the exit code."""

    CLEAN = 0
    BUG = 1
    SETTINGS = REFUSED
    FENCED = 3
    BUS = 4


def run(main: Callable[[], Coroutine[object, object, None]]) -> int:
    """Run a service until it ends or SIGTERM/SIGINT cancels it; its `finally` blocks drain. Returns the exit code."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_supervised(main))


def leaves(error: BaseException) -> list[BaseException]:
    """Flatten exception groups, however deep; a plain exception is its own leaf."""
    if isinstance(error, BaseExceptionGroup):
        return [leaf for part in error.exceptions for leaf in leaves(part)]
    return [error]


async def beat(bus: Bus, health: Health, clock: Clock, service: str) -> None:
    """Publish a heartbeat each second of real time, for ever; a second without the bus is a heartbeat missed."""
    release = _version(service)
    while True:
        heartbeat = Heartbeat(
            service=service,
            version=release,
            is_ready=health.is_ready,
            detail=health.detail,
            published_at=clock.now(),
        )
        try:
            await bus.publish(heartbeats(service), heartbeat)
        except BusUnavailable as error:
            log.warning("heartbeat_missed", reason=str(error))
        await asyncio.sleep(HEARTBEAT_EVERY.total_seconds())


async def _supervised(main: Callable[[], Coroutine[object, object, None]]) -> int:
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(main())
            for name in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(name, task.cancel)
    except BaseExceptionGroup as error:
        return _code_of(error)
    log.info("stopped", exit_code=Exit.CLEAN)
    return Exit.CLEAN


def _code_of(error: BaseExceptionGroup[BaseException]) -> Exit:
    """Find the most telling cause: being fenced off matters more than the bus errors around it."""
    for kind, code in ((FencedOff, Exit.FENCED), (KeyUnusable, Exit.SETTINGS), (SubscriberFailed, Exit.BUG)):
        found = error.subgroup(kind)
        if found is not None:
            return _reported(found, code)
    lost = error.subgroup(BusError)
    return _reported(error if lost is None else lost, Exit.BUG if lost is None else Exit.BUS)


def _reported(error: BaseExceptionGroup[BaseException], code: Exit) -> Exit:
    reason = "; ".join(repr(leaf) for leaf in leaves(error))
    if code is Exit.BUG:
        log.critical("crashed", reason=reason, exit_code=code, exc_info=error)
    else:
        log.error("stopped", reason=reason, exit_code=code)
    return code


def _version(service: str) -> str:
    try:
        return version(f"gpt-trader-{service}")
    except PackageNotFoundError:
        return "0"
