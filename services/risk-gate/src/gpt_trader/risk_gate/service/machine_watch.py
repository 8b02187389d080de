"""Looks each second at disk and clock, and stops entries before either loses something."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from gpt_trader.risk_gate.domain.machine import MachineLimits, MachineView, watched
from gpt_trader.risk_gate.ports import Disk, MachineClock
from gpt_trader.risk_gate.service.ledger import Ledger
from gpt_trader.runtime import logs

log = logs.get("risk-gate")

_EVERY_SECONDS = 1.0


@dataclass(slots=True, kw_only=True)
class MachineWatch:
    """`limits` without the drift, which the policy bounds as it bounds the venue's clock."""

    ledger: Ledger
    disk: Disk
    clock: MachineClock
    min_free_bytes: int
    slow_write: timedelta
    _waited: timedelta = timedelta()
    _writing_since: float | None = None
    _is_full: bool = False

    async def run(self) -> None:
        """Look for ever; a write that hangs is noticed while it hangs."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._probe())
            while True:
                self.look()
                await asyncio.sleep(_EVERY_SECONDS)

    def look(self) -> None:
        """Look once at everything."""
        hanging = timedelta() if self._writing_since is None else self._since(self._writing_since)
        seen = MachineView(
            free_bytes=0 if self._is_full else self.disk.free_bytes(),
            write_wait=max(self._waited, hanging),
            clock_drift=self._drift(),
        )
        limits = MachineLimits(
            min_free_bytes=self.min_free_bytes,
            slow_write=self.slow_write,
            clock_drift=self.ledger.policy.approvals.max_clock_offset_seconds,
        )
        self.ledger.commit(*watched(self.ledger.state, seen, limits, self.ledger.clock.now()))

    def _drift(self) -> timedelta:
        """How far the clock was set since the start; or back since the last run, until it has caught up."""
        last = self.disk.written_until
        behind = timedelta() if last is None else last - self.clock.wall()
        return -behind if behind > timedelta() else self.clock.drift()

    async def _probe(self) -> None:
        while True:
            self._writing_since = asyncio.get_running_loop().time()
            try:
                await asyncio.to_thread(self.disk.write)
                self._is_full = False
            except OSError as error:
                log.warning("disk_refuses", reason=str(error))
                self._is_full = True
            self._waited = self._since(self._writing_since)
            self._writing_since = None
            await asyncio.sleep(_EVERY_SECONDS)

    @staticmethod
    def _since(moment: float) -> timedelta:
        return timedelta(seconds=asyncio.get_running_loop().time() - moment)
