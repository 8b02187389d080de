"""Looks at everything outside that can restrict trading: the state store, the kill key and file, time."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

from gpt_trader.contracts.account import Cause, TradingStatus
from gpt_trader.risk_gate.domain.consequences import halted, reduce_only
from gpt_trader.risk_gate.domain.records import CauseCleared, CauseRaised
from gpt_trader.risk_gate.domain.sweeps.conditions import followed, restricts
from gpt_trader.risk_gate.domain.trading_state import CauseCode, worse
from gpt_trader.risk_gate.ports import StateStore, StoredState, StoreUnavailable
from gpt_trader.risk_gate.service.ledger import Ledger
from gpt_trader.risk_gate.service.sweeper import Sweeper
from gpt_trader.runtime import lifecycle, logs

log = logs.get("risk-gate")

_EVERY_SECONDS = 1.0


@dataclass(slots=True, kw_only=True)
class Degradation:
    """Sweeps each second of real time; the most restrictive source wins."""

    ledger: Ledger
    sweeper: Sweeper
    store: StateStore
    kill_file: Path | None
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _version: int | None = None

    async def run(self) -> None:
        """Sweep for ever."""
        while True:
            lifecycle.heed_cancel()
            await self.sweep()
            await asyncio.sleep(_EVERY_SECONDS)

    async def sweep(self) -> None:
        """Look once at everything."""
        async with self.turn:
            await self._swept()

    async def _swept(self) -> None:
        is_present = self.kill_file is not None and _may_exist(self.kill_file)
        self._follow(CauseCode.KILL_FILE, f"the kill file {self.kill_file} was there", is_present=is_present)
        try:
            await self._compare_store()
        except StoreUnavailable as error:
            self._restrict(CauseCode.STATE_STORE, str(error))
        await self.sweeper.warm()
        self.sweeper.look()
        await self.sweeper.tell()

    async def adopt_stored(self) -> None:
        """Take over the worse of what was stored and what the journal says; called once, at start."""
        now = self.ledger.clock.now()
        try:
            stored = await self.store.load()
        except StoreUnavailable as error:
            self._restrict(CauseCode.STATE_STORE, str(error))
            return
        self._version = None if stored is None else stored.version
        if stored is None:
            return
        ours = self.ledger.status()
        if worse(stored.status, ours) is not ours:
            if stored.status is TradingStatus.HALTED:
                self.ledger.commit(
                    CauseRaised(cause=halted(CauseCode.KILL, "the state store says halted", now), at=now)
                )
            else:
                self._restrict(CauseCode.STATE_STORE, f"the state store says {stored.status.value}")

    async def _compare_store(self) -> None:
        """Write the state over the one last written; anything else found there restricts trading."""
        is_present = await self.store.kill_requested()
        self._follow(CauseCode.KILL_KEY, "the kill key was set in the state store", is_present=is_present)
        stored = await self.store.load()
        found = None if stored is None else stored.version
        if found != self._version:
            detail, now = f"version {found} is stored where {self._version} was written", self.ledger.clock.now()
            # Also over a store that did not answer before: what it holds says more than that it was away.
            self.ledger.commit(CauseRaised(cause=reduce_only(CauseCode.STATE_STORE, detail, now), at=now))
        elif restricts(self.ledger.state, CauseCode.STATE_STORE, self.ledger.clock.now()):
            self._clear(CauseCode.STATE_STORE, "the state store agrees again")
        version = (found or 0) + 1
        await self.store.save(self._state(version), found)
        self._version = version

    def _state(self, version: int) -> StoredState:
        return StoredState(
            version=version,
            epoch=self.ledger.state.epoch,
            status=self.ledger.status(),
            head_hash=self.ledger.journal.head,
            heartbeat_at=self.ledger.clock.wall(),
        )

    def _follow(self, code: CauseCode, detail: str, *, is_present: bool) -> None:
        self.ledger.commit(*followed(self.ledger.state, code, detail, self.ledger.clock.now(), is_present=is_present))

    def _restrict(self, code: CauseCode, detail: str) -> None:
        self._raise(reduce_only(code, detail, self.ledger.clock.now()))

    def _raise(self, cause: Cause) -> None:
        now = self.ledger.clock.now()
        if not restricts(self.ledger.state, CauseCode(cause.code), now):
            self.ledger.commit(CauseRaised(cause=cause, at=now))

    def _clear(self, code: CauseCode, reason: str) -> None:
        now = self.ledger.clock.now()
        self.ledger.commit(CauseCleared(code=code, product=None, reason=reason, at=now))


def _may_exist(path: Path) -> bool:
    """Whether a file is there, or nobody can tell."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        log.warning("kill_file_unknown", path=str(path), reason=str(error))
    return True
