"""Wires the gate: settings, adapters, service."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from random import SystemRandom

from gpt_trader.contracts.subjects import Zone
from gpt_trader.risk_gate.adapters.budget import BudgetTerms, RateBudget
from gpt_trader.risk_gate.adapters.egress.server import EgressTerms, serving
from gpt_trader.risk_gate.adapters.jwt import Tokens
from gpt_trader.risk_gate.adapters.keyfile import load_exchange_key
from gpt_trader.risk_gate.adapters.redis_state import RedisState
from gpt_trader.risk_gate.adapters.relay import Relay
from gpt_trader.risk_gate.adapters.tls import client_context, server_context
from gpt_trader.risk_gate.adapters.user_channel import FeedTerms, UserChannel
from gpt_trader.risk_gate.adapters.venue import RestVenue
from gpt_trader.risk_gate.adapters.venue_link import LinkTerms, VenueLink, open_link
from gpt_trader.risk_gate.domain.policy import Policy
from gpt_trader.risk_gate.service.service import Outside, Service, assembled
from gpt_trader.risk_gate.service.sole_writer import sole_journal
from gpt_trader.risk_gate.settings import RiskGateSettings, load_policy
from gpt_trader.runtime import lifecycle, logs, tracing
from gpt_trader.runtime.bus import Bus, require_fsync
from gpt_trader.runtime.clock import Clock, clock_of
from gpt_trader.runtime.health import Health, serve_health
from gpt_trader.runtime.settings import load
from gpt_trader.runtime.signing import Signer
from gpt_trader.runtime.store import Store

SERVICE = "risk-gate"
_CONNECT_WITHIN = timedelta(seconds=2)
_DRAIN_WITHIN = timedelta(seconds=10)


def main() -> None:
    """Run until SIGTERM; exit codes: 2 refused settings, 3 fenced off by another gate, 4 bus lost."""
    settings = load(RiskGateSettings, service=SERVICE, argv=sys.argv[1:])
    logs.configure(settings.log_level, settings.log_format)
    policy = load_policy(settings.policy_file)
    raise SystemExit(lifecycle.run(lambda: _run(settings, policy)))


async def _run(settings: RiskGateSettings, policy: Policy) -> None:
    clock = clock_of(settings)
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
        with sole_journal(settings.journal_dir) as journal, tracing.exporting(settings.otlp_endpoint, SERVICE):
            outside = Outside(
                bus=bus,
                journal=journal,
                signer=Signer.load(settings.signing_seed_file, key_id=settings.key_id),
                venue=venue,
                facts=venue,
                drop_copy=_drop_copy(settings, link, relay, clock),
                store=RedisState(store),
                clock=clock,
                health=health,
            )
            holder = f"{socket.gethostname()}-{os.getpid()}"
            await _serve(assembled(outside, policy, settings, holder), settings, link, relay)


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
        tasks.create_task(lifecycle.beat(bus, health, clock, SERVICE))
        await service.start()
        async with serving(terms, service.desk, link, relay, clock) as port:
            health.note("egress_port", port)
            await service.run()


@asynccontextmanager
async def _venue(settings: RiskGateSettings, clock: Clock) -> AsyncIterator[VenueLink]:
    key = load_exchange_key(settings.cdp_key_file)
    life = timedelta(seconds=settings.token_seconds)
    tokens = Tokens(key=key, host=settings.venue_rest, life=life, clock=clock)
    budget = RateBudget(terms=BudgetTerms(), elapsed=asyncio.get_running_loop().time)
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
