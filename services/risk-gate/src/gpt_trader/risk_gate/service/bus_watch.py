"""Looks each second at the room in the streams that drop nothing, and stops entries before one is full (FM9)."""

import asyncio
from dataclasses import dataclass

from gpt_trader.contracts.subjects import RECORDS
from gpt_trader.risk_gate.domain.machine import bus_watched
from gpt_trader.risk_gate.ports import BusRoom
from gpt_trader.risk_gate.service.ledger import Ledger
from gpt_trader.runtime import lifecycle, logs
from gpt_trader.runtime.bus import BusUnavailable

log = logs.get("risk-gate")

_EVERY_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BusWatch:
    """`least_bytes` is what must be left for exits."""

    ledger: Ledger
    bus: BusRoom
    least_bytes: int

    async def run(self) -> None:
        """Look for ever."""
        while True:
            lifecycle.heed_cancel()
            await self.look()
            await asyncio.sleep(_EVERY_SECONDS)

    async def look(self) -> None:
        """Look once at every stream; one that does not say counts as full."""
        try:
            room = {stream: await self.bus.room(stream) for stream in RECORDS}
        except BusUnavailable as error:
            log.warning("bus_room_unknown", reason=str(error))
            room = {}
        self.ledger.commit(*bus_watched(self.ledger.state, room, self.least_bytes, self.ledger.clock.now()))
