"""One protection taken away: how a storm without it differs, so that the invariants can show that they would notice."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from gpt_trader.contracts.intents import Purpose
from gpt_trader.executor.ports import Exchange
from gpt_trader.executor.settings import ExecutorSettings
from gpt_trader.lab.storm.line import StormLink
from gpt_trader.risk_gate.adapters.budget import RateBudget
from gpt_trader.risk_gate.adapters.venue_link import Answer
from gpt_trader.risk_gate.domain.exposure import Approval
from gpt_trader.risk_gate.domain.permits import PermitIssued, PermitOutcome, PermitRefused, Refusal, permitted
from gpt_trader.risk_gate.domain.records import PermitLogged
from gpt_trader.risk_gate.domain.state import GateState
from gpt_trader.risk_gate.ports import OutcomeUnknown, Permits
from gpt_trader.risk_gate.service.permit_desk import PermitDesk


class Flaw(StrEnum):
    """What the simulated disk and bus can be made to do wrong on top of what real ones do."""

    ACKS_FIRST = "acknowledges an intent before it is handled"
    GIVES_UP = "takes a report that did not get through for stored"
    HIDES_INTENTS = "shows a starting gate no intents"
    KEEPS_NO_IDS = "stores the same message id twice"
    SYNCS_LATE = "loses the last writes of a gate that dies"
    WRITES_LATE = "writes each change of the executor only with the next one"


def _desk_as_it_is(desk: PermitDesk) -> Permits:
    return desk


def _as_told(settings: ExecutorSettings) -> ExecutorSettings:
    return settings


def _exchange_as_it_is(exchange: Exchange) -> Exchange:
    return exchange


@dataclass(frozen=True, slots=True, kw_only=True)
class Weakness:
    """What stands in the place of the real parts; by default, they do."""

    name: str = ""
    about: str = ""
    permits: Callable[[PermitDesk], Permits] = _desk_as_it_is
    settings: Callable[[ExecutorSettings], ExecutorSettings] = _as_told
    exchange: Callable[[Exchange], Exchange] = _exchange_as_it_is
    resends: bool = False
    flaw: Flaw | None = None


NOTHING_MISSING = Weakness()


@dataclass(slots=True)
class ResendingLink:
    """Sends a create again when it does not know what became of it."""

    link: StormLink

    @property
    def budget(self) -> RateBudget:
        """The real budget."""
        return self.link.budget

    async def send(
        self, method: str, path: str, query: str = "", body: bytes | None = None, since: datetime | None = None
    ) -> Answer:
        """Send, and send again."""
        try:
            return await self.link.send(method, path, query, body, since)
        except OutcomeUnknown:
            return await self.link.send(method, path, query, body, since)


@dataclass(slots=True)
class LaxDesk:
    """The permit desk on a state that was bent first; everything else is the real desk."""

    desk: PermitDesk
    bend: Callable[[GateState, Approval], GateState]
    ignores_expiry: bool = False

    def purpose_of(self, body_sha256: str) -> Purpose | None:
        """Ask the real desk."""
        return self.desk.purpose_of(body_sha256)

    def is_on_its_way(self, body_sha256: str) -> bool:
        """Ask the real desk."""
        return self.desk.is_on_its_way(body_sha256)

    def ask(self, body_sha256: str, origin_ns: int | None) -> PermitIssued | PermitRefused:
        """Decide on what the bent state says, and write it down."""
        ledger = self.desk.ledger
        approval = next((one for one in ledger.state.approvals.values() if one.body_sha256 == body_sha256), None)
        if approval is None:
            return self.desk.ask(body_sha256, origin_ns)
        now = approval.approved_at if self.ignores_expiry else ledger.clock.now()
        tick = self.desk.market.ticks.get(approval.product)
        answer = permitted(body_sha256, self.bend(ledger.state, approval), ledger.policy, tick, now)
        if isinstance(answer, PermitIssued):
            order_id, at = answer.client_order_id, ledger.clock.now()
            ledger.commit(PermitLogged(client_order_id=order_id, body_sha256=body_sha256, origin_ns=origin_ns, at=at))
        return answer

    def forgo(self, body_sha256: str) -> None:
        """Tell the real desk."""
        self.desk.forgo(body_sha256)

    def answered(self, permit: PermitIssued, outcome: PermitOutcome) -> None:
        """Tell the real desk."""
        self.desk.answered(permit, outcome)

    def objection_to_cancel(self) -> Refusal | None:
        """Ask the real desk."""
        return self.desk.objection_to_cancel()

    def allows_read(self) -> bool:
        """Ask the real desk."""
        return self.desk.allows_read()
