"""A worker: takes a piece, has it run, says what became of it, and only then lets the queue forget it."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Protocol

import prometheus_client
from pydantic import ValidationError

from gpt_trader.contracts.subjects import DURABLES, Zone
from gpt_trader.lab.queue.pieces import Outcome, Piece, PieceFailed, PieceRan
from gpt_trader.lab.queue.process import TooSlow, storm_process
from gpt_trader.lab.settings import LabSettings
from gpt_trader.lab.storm.campaign import Tally
from gpt_trader.runtime import lifecycle, logs, tracing
from gpt_trader.runtime.bus import Bus, BusUnavailable, PublishUnknown, Received, problems
from gpt_trader.runtime.health import Health, serve_health
from gpt_trader.runtime.release import release_of

SERVICE = "lab"
log = logs.get(SERVICE)

PIECES = prometheus_client.Counter("lab_pieces", "pieces of work that are told of", ["outcome"])
SEEDS = prometheus_client.Counter("lab_seeds", "storms that were run")
for _outcome in ("ran", "failed"):
    PIECES.labels(_outcome)

_AGAIN_SECONDS = 1.0
_LOOK_SECONDS = 1.0
_LONGEST_REASON = 400


class Runner(Protocol):
    """Runs a piece somewhere."""

    def run(self, piece: Piece) -> Awaitable[Tally]:
        """Return what its seeds added up to."""
        ...


class Outlet(Protocol):
    """Where results go."""

    def store(self, subject: str, message: bytes, *, message_id: str) -> Awaitable[int]:
        """Put a result on disk; the same id again is the same result."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """Answers every piece: with its figures, or with why there are none."""

    runner: Runner
    outlet: Outlet
    deliveries: int

    async def on_piece(self, received: Received) -> None:
        """Run a piece and keep its outcome; returning lets the queue forget it."""
        outcome = await self._outcome(received)
        if isinstance(outcome, PieceFailed):
            log.warning("piece_failed", subject=received.subject, reason=outcome.reason)
        subject = received.subject.replace("lab.work.", "lab.results.", 1)
        await self._keep(subject, outcome.encode())
        PIECES.labels(outcome.kind).inc()

    async def _outcome(self, received: Received) -> Outcome:
        release = release_of(SERVICE)
        if received.deliveries > self.deliveries:
            reason = f"taken {received.deliveries - 1} times, and no worker came to its end"
            return PieceFailed(release=release, reason=reason)
        try:
            piece = Piece.decode(received.payload)
            tally = await self.runner.run(piece)
        except ValidationError as error:
            return PieceFailed(release=release, reason=problems(error)[:_LONGEST_REASON])
        except TooSlow as error:
            return PieceFailed(release=release, reason=str(error))
        SEEDS.inc(tally.seeds)
        return PieceRan(release=release, tally=tally)

    async def _keep(self, subject: str, outcome: bytes) -> None:
        """Store an outcome for as long as it takes: it is worth more than the wait."""
        while True:
            try:
                await self.outlet.store(subject, outcome, message_id=subject)
            except (BusUnavailable, PublishUnknown) as error:
                log.warning("result_waits", subject=subject, reason=str(error))
                await asyncio.sleep(_AGAIN_SECONDS)
            else:
                return


async def serve(settings: LabSettings) -> None:
    """Take pieces until told to stop; what is not done then is free for others at once."""
    health = Health(SERVICE)
    (durable,) = (one for one in DURABLES if one.zone is Zone.LAB)
    async with (
        serve_health(settings, health),
        Bus.connect(settings, zone=Zone.LAB) as bus,
        storm_process(settings.piece_seconds) as process,
    ):
        worker = Worker(runner=process, outlet=bus, deliveries=settings.deliveries)
        with tracing.exporting(settings.otlp_endpoint, SERVICE):
            async with asyncio.TaskGroup() as group:
                group.create_task(bus.watch())
                group.create_task(_be_ready(bus, health))
                group.create_task(bus.consume(durable, worker.on_piece))


async def _be_ready(bus: Bus, health: Health) -> None:
    while True:
        health.ready(bus.is_connected, "" if bus.is_connected else "the bus is away")
        await asyncio.sleep(_LOOK_SECONDS)


def run(settings: LabSettings) -> int:
    """Run until SIGTERM and return the exit code."""
    logs.configure(settings.log_level, settings.log_format)
    return lifecycle.run(lambda: serve(settings))
