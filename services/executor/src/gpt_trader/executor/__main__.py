"""Wires the executor: `python -m gpt_trader.executor --profile app.yaml`."""

import asyncio
import ssl
import sys
from functools import partial
from pathlib import Path
from random import Random

from gpt_trader.contracts.account import TradingState
from gpt_trader.contracts.subjects import CONTROL_KILL, DURABLES, STATE_TRADING, Zone
from gpt_trader.executor.adapters.coinbase_exchange import exchange
from gpt_trader.executor.adapters.coinbase_user_channel import CoinbaseUserChannel
from gpt_trader.executor.adapters.egress_client import EgressClient
from gpt_trader.executor.adapters.metrics import PrometheusMeasurements
from gpt_trader.executor.ports import Exchange, JournalFile, UserChannel
from gpt_trader.executor.service.books import Books
from gpt_trader.executor.service.executor import ExecutorService
from gpt_trader.executor.service.following import Follower
from gpt_trader.executor.service.intake import Intake
from gpt_trader.executor.service.placing import Placer
from gpt_trader.executor.service.recalling import Recaller
from gpt_trader.executor.service.reconciling import Reconciler
from gpt_trader.executor.service.reporting import Reporter
from gpt_trader.executor.settings import ExecutorSettings
from gpt_trader.runtime import lifecycle, logs, tracing
from gpt_trader.runtime.bus import Bus, decoded
from gpt_trader.runtime.clock import Clock, clock_of
from gpt_trader.runtime.health import Health, serve_health
from gpt_trader.runtime.journal import Journal, JournalCorrupt, JournalInUse
from gpt_trader.runtime.lifecycle import Exit, beat, run
from gpt_trader.runtime.secret_files import KeyUnusable
from gpt_trader.runtime.settings import load
from gpt_trader.runtime.signing import Verifier

SERVICE = "executor"
_SETTLE_SECONDS = 0.02
"""If a part crashed, all are being cancelled: after this they are seen to be done, and nothing can drain."""
SWITCH_SECONDS = 0.0005
"""How long the loop may keep a thread waiting that has a request to send; the default is ten times as long."""
INTENTS = next(durable for durable in DURABLES if durable.stream == "INTENTS" and durable.zone is Zone.EXECUTOR)


def main() -> None:
    """Read the settings, take the journal, and serve until told to stop."""
    settings = load(ExecutorSettings, service=SERVICE, argv=sys.argv[1:])
    sys.setswitchinterval(SWITCH_SECONDS)
    logs.configure(settings.log_level, settings.log_format)
    try:
        verifier = pinned(settings)
        require_authority(settings.egress_ca_file)
        with Journal.open(settings.journal_dir / "executor.journal") as journal:
            code = run(partial(serve, settings, verifier, journal))
    except (KeyUnusable, JournalInUse, JournalCorrupt, OSError) as error:
        sys.stderr.write(f"{SERVICE}: cannot start: {error}\n")
        sys.exit(Exit.SETTINGS)
    sys.exit(code)


def require_authority(ca_file: Path) -> None:
    """Refuse a file that the egress can't be verified with; the system's own error names no file."""
    try:
        ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise KeyUnusable(f"egress_ca_file {ca_file}: {error.strerror or error}") from error


def pinned(settings: ExecutorSettings) -> Verifier:
    """Read the gate's public key; whoever else signs is not believed."""
    return Verifier.pinned({settings.gate_key_id: settings.gate_public_key_file.read_text().strip()})


async def serve(settings: ExecutorSettings, verifier: Verifier, journal: Journal) -> None:
    """Open what must be closed, then run."""
    rng = Random(settings.retry_seed)  # noqa: S311 - spreads retries in time
    client = EgressClient(settings.egress, settings.egress_ca_file, settings.request_timeout_seconds)
    health = Health(SERVICE)
    with (
        tracing.exporting(settings.otlp_endpoint, SERVICE),
        exchange(client, rng, PrometheusMeasurements()) as venue,
    ):
        async with serve_health(settings, health), Bus.connect(settings, zone=Zone.EXECUTOR) as bus:
            channel = CoinbaseUserChannel(egress=settings.egress, ca_file=settings.egress_ca_file, rng=rng)
            async with asyncio.TaskGroup() as group:
                service = wired(settings, verifier, journal, (bus, venue, group, health, clock_of(settings)))
                await serve_orders(service, settings, (bus, channel, group))


def wired(
    settings: ExecutorSettings,
    verifier: Verifier,
    journal: JournalFile,
    world: tuple[Bus, Exchange, asyncio.TaskGroup, Health, Clock],
) -> ExecutorService:
    """Put the parts together."""
    bus, venue, group, health, clock = world
    terms, measurements = settings.terms(), PrometheusMeasurements()
    books = Books.open(journal, clock, measurements)
    reporter = Reporter(books=books, bus=bus, clock=clock, measurements=measurements)
    follower = Follower(books=books, exchange=venue, reporter=reporter, clock=clock, group=group)
    reconciler = Reconciler(books=books, exchange=venue, follower=follower, reporter=reporter, clock=clock, terms=terms)
    placer = Placer(
        books=books,
        submission=venue,
        follower=follower,
        measurements=measurements,
        clock=clock,
        state_max_age=terms.state_max_age,
        doubt=reconciler.doubt,
        group=group,
    )
    intake = Intake(
        books=books,
        placer=placer,
        follower=follower,
        reporter=reporter,
        submission=venue,
        measurements=measurements,
        clock=clock,
        is_authentic=verifier.is_valid,
        group=group,
    )
    recaller = Recaller(books=books, intake=intake, placer=placer, measurements=measurements, clock=clock, terms=terms)
    return ExecutorService(
        books=books,
        intake=intake,
        recaller=recaller,
        placer=placer,
        follower=follower,
        reconciler=reconciler,
        reporter=reporter,
        clock=clock,
        terms=terms,
        health=health,
    )


async def serve_orders(
    service: ExecutorService, settings: ExecutorSettings, world: tuple[Bus, UserChannel, asyncio.TaskGroup]
) -> None:
    """Hear kills first, recover, then take intents until cancelled; a clean stop drains while the parts still run."""
    bus, channel, group = world
    parts = [
        group.create_task(bus.watch()),
        group.create_task(beat(bus, service.health, service.clock, settings)),
        group.create_task(service.reporter.serve()),
    ]
    await bus.subscribe(CONTROL_KILL, service.placer.on_kill)
    await bus.subscribe(STATE_TRADING, decoded(TradingState, service.placer.on_state))
    await service.recover(bus)
    lifecycle.spare_what_is_there()
    parts += [
        group.create_task(service.reconciler.serve()),
        group.create_task(service.reconciler.serve_doubts()),
        group.create_task(service.serve_readiness()),
        group.create_task(channel.serve(service.reconciler.on_connected, service.reconciler.on_order)),
    ]
    try:
        await bus.consume(INTENTS, service.intake.on_intent)
    except asyncio.CancelledError:
        await asyncio.sleep(_SETTLE_SECONDS)
        if not any(part.done() for part in parts):
            await service.drain()
        raise


if __name__ == "__main__":
    main()
