"""The numbers of a finished run, from the picture, the gate's journal and the venue's books."""

from pathlib import Path
from typing import Any

import aiohttp

from gpt_trader.console.connection import Manifest
from gpt_trader.console.domain.latency import percentile, tick_to_order
from gpt_trader.console.domain.picture import Picture
from gpt_trader.runtime.journal import read

_COUNTS = ("ticks", "signals", "approved", "denied", "orders", "fills")


async def run_summary(picture: Picture, manifest: Manifest) -> dict[str, Any]:
    """Count what happened and measure how fast; raises aiohttp.ClientError if the venue is gone already.

    A dry run has no venue of its own that could be asked when it accepted what.
    """
    accepted = {} if manifest.exchange_admin is None else await _accepted(manifest.exchange_admin)
    latencies = tick_to_order(_ticks_left(manifest.gate_journal), accepted)
    return {
        **{name: picture.tally[name] for name in _COUNTS},
        "tick_to_order_ms": {f"p{percent}": percentile(latencies, percent) for percent in (50, 99)},
        "equity": picture.account.equity if picture.account else None,
        "trading_state": picture.trading.status if picture.trading else None,
    }


def _ticks_left(journal: Path) -> dict[str, int]:
    permits = (entry.payload for entry in read(journal) if entry.kind == "permit_logged")
    return {permit["client_order_id"]: permit["origin_ns"] for permit in permits if permit["origin_ns"] is not None}


async def _accepted(admin: str) -> dict[str, int]:
    patience = aiohttp.ClientTimeout(total=10)
    async with aiohttp.ClientSession(timeout=patience) as session, session.get(f"{admin}/books") as answer:
        events = (await answer.json())["events"]
    first: dict[str, int] = {}
    for event in events:
        if "client_order_id" in event:
            first.setdefault(event["client_order_id"], event["accepted_at_ns"])
    return first
