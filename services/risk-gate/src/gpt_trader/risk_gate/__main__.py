"""Wires the gate: settings, adapters, service."""

import asyncio
import json
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import asdict
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from random import SystemRandom

from gpt_trader.contracts.subjects import Zone, heartbeats
from gpt_trader.risk_gate.adapters.budget import BudgetTerms, RateBudget
from gpt_trader.risk_gate.adapters.coinbase_bodies import CoinbaseBodies
from gpt_trader.risk_gate.adapters.egress.server import EgressTerms, serving
from gpt_trader.risk_gate.adapters.futures_venue import RestFutures
from gpt_trader.risk_gate.adapters.journal_disk import JournalDisk
from gpt_trader.risk_gate.adapters.jwt import Tokens
from gpt_trader.risk_gate.adapters.keyfile import load_exchange_key
from gpt_trader.risk_gate.adapters.redis_state import RedisState
from gpt_trader.risk_gate.adapters.relay import Relay
from gpt_trader.risk_gate.adapters.tls import client_context, server_context
from gpt_trader.risk_gate.adapters.user_channel import FeedTerms, UserChannel
from gpt_trader.risk_gate.adapters.venue import RestVenue
from gpt_trader.risk_gate.adapters.venue_history import RestHistory
from gpt_trader.risk_gate.adapters.venue_link import LinkTerms, VenueLink, open_link
from gpt_trader.risk_gate.adapters.venue_terms import RestTerms
from gpt_trader.risk_gate.domain.policy import Policy
from gpt_trader.risk_gate.domain.policy.oddities import oddities
from gpt_trader.risk_gate.domain.policy_reference import limits
from gpt_trader.risk_gate.domain.preflight import Finding, Result, blocks
from gpt_trader.risk_gate.service.preflight import Preflight
from gpt_trader.risk_gate.service.service import Outside, Service, assembled
from gpt_trader.risk_gate.service.snapshots import JOURNAL, opened_books
from gpt_trader.risk_gate.settings import CONFIRMED, Mode, RiskGateSettings, check_policy, load_policy, shipped_policies
from gpt_trader.runtime import lifecycle, logs, tracing
from gpt_trader.runtime.bus import Bus, BusError, PublishRefused, require_fsync
from gpt_trader.runtime.clock import Clock, SteadyClock, clock_of
from gpt_trader.runtime.health import Health, serve_health
from gpt_trader.runtime.secret_files import KeyUnusable
from gpt_trader.runtime.settings import REFUSED, load
from gpt_trader.runtime.signing import Signer
from gpt_trader.runtime.store import Store

SERVICE = "risk-gate"
log = logs.get(SERVICE)
_CONNECT_WITHIN = timedelta(seconds=2)
_DRAIN_WITHIN = timedelta(seconds=10)


PREFLIGHT = "--preflight"
"""Asks whether this gate could start, prints a line per finding, and starts nothing."""
CHECK_POLICY = "--check-policy"
"""Reads the policy file that is named next, says what is wrong or odd in it, and starts nothing."""
SHOW_LIMITS = "--show-limits"
"""Prints every limit with unit, tighter side, meaning and the value of each shipped policy, and starts nothing."""


def main() -> None:
    """Run until SIGTERM; exit codes: 2 refused settings or preflight, 3 fenced off by another gate, 4 bus lost."""
    words = sys.argv[1:]
    if words[:1] == [CHECK_POLICY]:
        sys.stdout.writelines(f"{odd} (warning)\n" for path in words[1:] for odd in check_policy(Path(path)))
        raise SystemExit(0)
    if words == [SHOW_LIMITS]:
        sys.stdout.write(json.dumps([asdict(limit) for limit in limits(shipped_policies())]) + "\n")
        raise SystemExit(0)
    is_asked = PREFLIGHT in words
    spoken = ["--confirm-live", CONFIRMED] if is_asked else []  # the balance must be seen before the word is given
    settings = load(RiskGateSettings, service=SERVICE, argv=[*(one for one in words if one != PREFLIGHT), *spoken])
    logs.configure(settings.log_level, settings.log_format)
    policy = load_policy(settings.policy_file)
    for sentence in oddities(policy):
        log.warning("policy_odd", what=sentence)
    if is_asked or settings.mode is Mode.LIVE:
        findings = asyncio.run(_preflight(settings, policy))
        for found in findings:
            sys.stdout.write(f"{found.result.value:<8}{found.check:<13}{found.figure}\n")
            sys.stdout.write(f"{'':<21}-> {found.advice}\n" if found.advice else "")
        sys.stdout.flush()
        if is_asked or blocks(findings):
            raise SystemExit(REFUSED if blocks(findings) else 0)
    raise SystemExit(lifecycle.run(lambda: _run(settings, policy)))


async def _preflight(settings: RiskGateSettings, policy: Policy) -> tuple[Finding, ...]:
    """Ask everything once; a key file that can't be used leaves nothing to ask the venue with."""
    clock = SteadyClock.made(clock_of(settings))

    async def refused() -> str:
        async with Bus.connect(settings, zone=Zone.GATE) as bus, asyncio.timeout(_CONNECT_WITHIN.total_seconds()):
            await bus.publish(heartbeats(Zone.LEARNING), b"preflight")
            try:
                await bus.watch()
            except PublishRefused as error:
                return str(error)[:80]
        raise BusError("the server let the gate publish as somebody else")

    try:
        async with (
            _venue(settings, clock) as link,
            Store.connect(settings.redis_url, SERVICE, settings.redis_password_file) as store,
        ):
            venue = RestVenue(link=link, clock=clock, jitter=SystemRandom())
            return await Preflight(
                venue=venue,
                facts=venue,
                store=RedisState(store, timedelta(seconds=settings.store_answer_seconds)),
                disk=JournalDisk.of(settings.journal_dir / JOURNAL),
                policy=policy,
                least_bytes=settings.min_free_bytes,
                slow_write=timedelta(seconds=settings.slow_write_seconds),
                is_live=settings.mode is Mode.LIVE,
                durability=lambda: require_fsync(settings.nats_monitor_url),
                refusal=refused,
            ).findings()
    except KeyUnusable as error:
        return (Finding("key file", Result.FAILED, str(error), "see docs/operations.md, Rotate a key"),)


async def _run(settings: RiskGateSettings, policy: Policy) -> None:
    clock = SteadyClock.made(clock_of(settings))
    health = Health(SERVICE)
    health.note("mode", settings.mode)
    health.note("policy", f"{policy.profile} {policy.version()}")
    await require_fsync(settings.nats_monitor_url)
    relay = Relay()
    async with (
        Bus.connect(settings, zone=Zone.GATE) as bus,
        serve_health(settings, health),
        _venue(settings, clock) as link,
        Store.connect(settings.redis_url, SERVICE, settings.redis_password_file) as store,
    ):
        venue = RestVenue(link=link, clock=clock, jitter=SystemRandom())
        disk = JournalDisk.of(settings.journal_dir / JOURNAL)
        with ExitStack() as opened, tracing.exporting(settings.otlp_endpoint, SERVICE):
            # in a thread: checking a long journal takes a while, in which probes are answered
            books = await asyncio.to_thread(opened.enter_context, opened_books(settings.journal_dir))
            outside = Outside(
                bus=bus,
                journal=books.journal,
                state=books.state,
                signer=Signer.load(settings.signing_seed_file, key_id=settings.key_id),
                venue=venue,
                spelling=CoinbaseBodies(),
                futures=RestFutures(venue=venue),
                terms=RestTerms(venue=venue),
                history=RestHistory(venue=venue, clock=clock),
                drop_copy=_drop_copy(settings, link, relay, clock),
                store=RedisState(store, timedelta(seconds=settings.store_answer_seconds)),
                traffic=link,
                disk=disk,
                clock=clock,
                health=health,
            )
            holder = f"{socket.gethostname()}-{os.getpid()}"
            service = assembled(outside, policy, settings, holder)
            try:
                await _serve(service, settings, link, relay)
            except asyncio.CancelledError:
                service.snapshots.take()
                raise


async def _serve(service: Service, settings: RiskGateSettings, link: VenueLink, relay: Relay) -> None:
    """Start, then open the egress: nothing can be sent before the past is known."""
    bus, health, clock = service.outside.bus, service.outside.health, service.outside.clock
    terms = EgressTerms(
        host=settings.egress_host,
        port=settings.egress_port,
        tls=server_context(settings.egress_certificate_file, settings.egress_key_file),
        drain_within=_DRAIN_WITHIN,
    )
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(bus.watch())
        tasks.create_task(lifecycle.beat(bus, health, clock, settings))
        await service.start()
        lifecycle.spare_what_is_there()
        async with serving(terms, service.desk, link, relay, clock) as port:
            health.note("egress_port", port)
            await service.run()


@asynccontextmanager
async def _venue(settings: RiskGateSettings, clock: Clock) -> AsyncIterator[VenueLink]:
    key = load_exchange_key(settings.cdp_key_file)
    life = timedelta(seconds=settings.token_seconds)
    tokens = Tokens(key=key, host=settings.venue_rest, life=life, clock=clock)
    per_hour = int(settings.venue_hour_requests * max(settings.clock_rate, Decimal(1)))  # the demo's hour passes faster
    budget = RateBudget(terms=BudgetTerms(per_hour=per_hour), elapsed=asyncio.get_running_loop().time)
    terms = LinkTerms(
        host=settings.venue_rest,
        tls=client_context(settings.venue_ca_file),
        answer_within=timedelta(seconds=settings.venue_answer_seconds),
        connect_within=_CONNECT_WITHIN,
    )
    async with open_link(terms, tokens, budget) as link:
        yield link


def _drop_copy(settings: RiskGateSettings, link: VenueLink, relay: Relay, clock: Clock) -> UserChannel:
    terms = FeedTerms(url=settings.venue_ws, tls=client_context(settings.venue_ca_file))
    return UserChannel(terms=terms, tokens=link.tokens, relay=relay, clock=clock, jitter=SystemRandom())


if __name__ == "__main__":
    main()
