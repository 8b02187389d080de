"""Hears in the heartbeats which release each service runs, and restricts trading while one runs another."""

from dataclasses import dataclass, field

from pydantic import ValidationError

from gpt_trader.contracts.subjects import Zone, heartbeats
from gpt_trader.contracts.telemetry import Heartbeat
from gpt_trader.risk_gate.domain.releases import IN_THE_ORDERS_PATH, compared, differing
from gpt_trader.risk_gate.service import metrics
from gpt_trader.risk_gate.service.ledger import Ledger
from gpt_trader.runtime.bus import Bus, Received

_UNREADABLE = "a release whose heartbeat can't be read"


@dataclass(slots=True, kw_only=True)
class ReleaseWatch:
    """Remembers what each process of a zone said last; the subject tells who spoke, whatever a sender calls itself."""

    ledger: Ledger
    release: str
    _heard: dict[Zone, dict[int, str]] = field(default_factory=dict)

    async def follow(self, bus: Bus) -> None:
        """Hear everybody whose words can become an order."""
        for zone in IN_THE_ORDERS_PATH:
            await bus.subscribe(heartbeats(zone), self.on_heartbeat)

    async def on_heartbeat(self, received: Received) -> None:
        """Compare all that was heard with our own release; what can't be read is of another one."""
        ledger = self.ledger
        speaker = next(zone for zone in IN_THE_ORDERS_PATH if heartbeats(zone) == received.subject)
        try:
            heartbeat = Heartbeat.decode(received.payload)
        except ValidationError:
            self._heard[speaker] = {0: _UNREADABLE}
        else:
            known = self._heard.get(speaker, {}).items()
            there = {shard: release for shard, release in known if shard < heartbeat.shards}
            self._heard[speaker] = there | {heartbeat.shard: heartbeat.version}
        others = differing(self._heard, self.release)
        for zone in self._heard:
            metrics.MIXED_VERSION.labels(zone.value).set(zone in others)
        ledger.commit(*compared(ledger.state, self._heard, self.release, ledger.clock.now()))
