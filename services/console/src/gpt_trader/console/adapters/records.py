"""Reads what the streams keep."""

from datetime import datetime
from typing import TypeVar

from gpt_trader.console.domain.chain import Records
from gpt_trader.contracts.account import TradingState
from gpt_trader.contracts.decisions import Decision
from gpt_trader.contracts.intents import ApprovedIntent, SignedIntent
from gpt_trader.contracts.message import Message
from gpt_trader.contracts.orders import Fill, OrderEvent
from gpt_trader.contracts.subjects import STATE_TRADING
from gpt_trader.runtime.bus import Bus

M = TypeVar("M", bound=Message)


async def load(bus: Bus, stream: str, model: type[M], subject: str = ">") -> list[M]:
    """Read all kept messages of one kind, oldest first."""
    return [model.decode(received.payload) async for received in bus.history(stream, subject_filter=subject)]


async def last_of(bus: Bus, stream: str, subject: str, model: type[M]) -> M | None:
    """Read the last message on a subject; None = there never was one."""
    received = await bus.last(stream, subject)
    return None if received is None else model.decode(received.payload)


async def witnesses_until(bus: Bus, moment: datetime) -> list[TradingState]:
    """Read every trading state that the bus had stored by a moment of real time."""
    return [
        TradingState.decode(received.payload)
        async for received in bus.history("STATE", subject_filter=STATE_TRADING)
        if received.stored_at is not None and received.stored_at < moment
    ]


async def story_records(bus: Bus) -> Records:
    """Read everything a story can be put together from."""
    envelopes = await load(bus, "INTENTS", SignedIntent, "intents.approved.>")
    return Records(
        decisions=await load(bus, "DECISIONS", Decision),
        intents=[ApprovedIntent.decode(envelope.payload) for envelope in envelopes],
        orders=await load(bus, "ORDERS", OrderEvent),
        fills=await load(bus, "FILLS", Fill),
    )
