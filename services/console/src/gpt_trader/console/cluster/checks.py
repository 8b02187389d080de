"""What `helm test` asks a running release: rights on the bus, the gate's readiness, one order from signal to fill."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import aiohttp

from gpt_trader.console.adapters.records import story_records
from gpt_trader.console.cluster.credentials import SEED
from gpt_trader.console.domain.chain import Chain, Records, chain_of
from gpt_trader.contracts.subjects import Zone
from gpt_trader.runtime.bus import BusError, BusUnavailable, PublishRefused, connect

FOREIGN: dict[Zone, tuple[str, ...]] = {
    Zone.STRATEGY: ("control.kill", "intents.approved.BTC-USD", "decisions.BTC-USD"),
    Zone.EXECUTOR: ("control.kill", "intents.approved.BTC-USD", "state.trading"),
    Zone.MARKET_DATA: ("control.kill", "signals.trend.BTC-USD"),
    Zone.LEARNING: ("control.kill", "approvals.check"),
}
"""Subjects that a zone must not publish; were one allowed, its message would halt trading: that is the safe side."""

_REFUSED_WITHIN = 2.0
_PAUSE = 1.0


class CheckFailed(Exception):
    """The release is not as it must be; the message says what to look at."""


async def bus_permissions(url: str, seeds: Path, say: Callable[[str], None]) -> None:
    """Publish as each zone what it must not; every attempt has to be refused by the server."""
    for zone, subjects in FOREIGN.items():
        for subject in subjects:
            if not await _is_refused(url, seeds / zone / SEED, zone, subject):
                raise CheckFailed(f"{zone} may publish {subject}: the bus does not run the chart's configuration")
            say(f"{zone} can not publish {subject}")


async def _is_refused(url: str, seed: Path, zone: Zone, subject: str) -> bool:
    try:
        async with connect(url, seed, zone) as bus:
            await bus.publish(subject, b"permission check")
            async with asyncio.timeout(_REFUSED_WITHIN):
                await bus.watch()
    except PublishRefused as error:
        if subject.lower() in str(error):  # the client lowers what the server says
            return True
        raise CheckFailed(f"{zone} could not even connect: {error}") from error
    except TimeoutError:
        return False
    return False


async def gate_ready(url: str, patience: timedelta) -> str:
    """Wait until the gate says that it is reconciled; returns its own words."""
    deadline = asyncio.get_running_loop().time() + patience.total_seconds()
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:
        while True:
            is_ready, words = await _readiness(session, url)
            if is_ready:
                return words
            if asyncio.get_running_loop().time() > deadline:
                raise CheckFailed(f"the gate is not ready: {words}")
            await asyncio.sleep(_PAUSE)


async def _readiness(session: aiohttp.ClientSession, url: str) -> tuple[bool, str]:
    try:
        async with session.get(f"{url.rstrip('/')}/readyz") as answer:
            return answer.status == 200, (await answer.text()).strip()
    except (aiohttp.ClientError, TimeoutError) as error:
        return False, f"{url} does not answer ({error!r})"


async def filled_order(url: str, seed: Path, patience: timedelta) -> Chain:
    """Wait for an order that went the whole way: decision, signed approval, order, fill."""
    deadline = asyncio.get_running_loop().time() + patience.total_seconds()
    seen = "no answer"
    while asyncio.get_running_loop().time() < deadline:
        try:
            async with connect(url, seed, Zone.OPERATOR) as bus:
                records = await story_records(bus)
        except BusUnavailable as error:
            seen = str(error)
        except BusError as error:
            raise CheckFailed(f"the operator's credential was refused: {error}") from error
        else:
            seen = f"{len(records.decisions)} decisions, {len(records.intents)} approvals, {len(records.fills)} fills"
            chain = whole_chain(records)
            if chain is not None:
                return chain
        await asyncio.sleep(_PAUSE)
    raise CheckFailed(f"no order was filled within {patience.total_seconds():g} s; on the bus: {seen}")


def whole_chain(records: Records) -> Chain | None:
    """Find the newest fill that a decision, a signed approval and an order stand behind."""
    chains = (chain_of(fill.fill_id, records) for fill in reversed(records.fills))
    return next((chain for chain in chains if chain is not None and chain.intent is not None and chain.orders), None)
