"""Looks at the policy file while the gate runs: what is nowhere looser is adopted, all else waits for a restart."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from gpt_trader.contracts.telemetry import Severity
from gpt_trader.risk_gate.domain.policy import Policy
from gpt_trader.risk_gate.domain.policy_changes import Changed, changes, is_nowhere_looser
from gpt_trader.risk_gate.service import metrics
from gpt_trader.risk_gate.service.ledger import Ledger
from gpt_trader.runtime import logs
from gpt_trader.runtime.guardian import Refused, read_model
from gpt_trader.runtime.health import Health

log = logs.get("risk-gate")

_EVERY_SECONDS = 1.0
_MOST_NAMED = 20
"""Changes that one alert spells out."""

Stamp = tuple[int, int, int]


class Alarms(Protocol):
    """Who tells a person."""

    async def alarm(self, severity: Severity, code: str, text: str, hint: str) -> None:
        """Publish an alert."""
        ...


@dataclass(slots=True, kw_only=True)
class PolicyWatch:
    """A file is read once it has kept still for one look, so that nobody's half-written limits are judged."""

    ledger: Ledger
    path: Path
    alarms: Alarms
    health: Health
    _judged: Stamp | None = None
    _last: Stamp | None = None

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await self.look()
            await asyncio.sleep(_EVERY_SECONDS)

    async def look(self) -> None:
        """Judge the file if it is another one than was judged last."""
        seen = _stamp(self.path)
        is_still, self._last = seen == self._last, seen
        if seen == self._judged or not is_still:
            return
        self._judged = seen
        await self._judge()

    async def _judge(self) -> None:
        running = self.ledger.policy
        try:
            declared = read_model(self.path, Policy)
        except Refused as refused:
            await self._drifted("unusable", "; ".join(refused.problems))
            return
        found = tuple(changes(running, declared))
        self.health.note("policy_declared", declared.version())
        if declared.version() == running.version():
            metrics.POLICY_DRIFT.set(0)
        elif is_nowhere_looser(running, declared):
            await self._adopt(declared, found)
        else:
            await self._drifted(declared.version(), _spelled(found))

    async def _adopt(self, declared: Policy, found: tuple[Changed, ...]) -> None:
        before = self.ledger.policy.version()
        self.ledger.adopt(declared)
        metrics.POLICY_DRIFT.set(0)
        self.health.note("policy", f"{declared.profile} {declared.version()}")
        log.warning("policy_adopted", before=before, version=declared.version(), changed=_spelled(found))
        text = f"policy {before} -> {declared.version()}: {_spelled(found)}"
        await self.alarms.alarm(Severity.WARNING, "policy_adopted", text, "nothing is looser than before")

    async def _drifted(self, declared: str, why: str) -> None:
        running = self.ledger.policy.version()
        metrics.POLICY_DRIFT.set(1)
        log.error("policy_drift", running=running, declared=declared, why=why)
        text = f"policy {running} holds, {self.path} declares {declared}: {why}"
        hint = (
            "restart the gate to adopt it, or put the file back; while it runs only what is nowhere looser is adopted"
        )
        await self.alarms.alarm(Severity.WARNING, "policy_drift", text, hint)


def _stamp(path: Path) -> Stamp | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _spelled(found: tuple[Changed, ...]) -> str:
    named = "; ".join(one.spelled() for one in found[:_MOST_NAMED])
    return named if len(found) <= _MOST_NAMED else f"{named}; and {len(found) - _MOST_NAMED} more"
