"""Answers the egress: a permit is on disk before it is given, and none is given once trading is halted."""

from dataclasses import dataclass

from gpt_trader.contracts.intents import Purpose
from gpt_trader.risk_gate.domain.permits import PermitIssued, PermitOutcome, PermitRefused, Refusal, permitted
from gpt_trader.risk_gate.domain.records import PermitAnswered, PermitLogged
from gpt_trader.risk_gate.service.ledger import Ledger
from gpt_trader.risk_gate.service.market_watch import MarketWatch
from gpt_trader.runtime import logs

log = logs.get("risk-gate")


@dataclass(slots=True, kw_only=True)
class PermitDesk:
    """Implements Permits. `is_fenced` once a later gate has claimed the epoch; a dry run approves but sends nothing."""

    ledger: Ledger
    market: MarketWatch
    is_dry_run: bool
    is_fenced: bool = False

    def purpose_of(self, body_sha256: str) -> Purpose | None:
        """Return what an approved body is for, until its permit is issued."""
        if body_sha256 in self.ledger.state.permitted:
            return None
        approvals = self.ledger.state.approvals.values()
        return next((kept.purpose for kept in approvals if kept.body_sha256 == body_sha256), None)

    def ask(self, body_sha256: str, origin_ns: int | None) -> PermitIssued | PermitRefused:
        """Decide, write it down, answer."""
        now = self.ledger.clock.now()
        answer = self._decided(body_sha256)
        if isinstance(answer, PermitRefused):
            log.warning("permit_refused", reason=answer.reason.value, body_sha256=body_sha256)
            return answer
        order_id = answer.client_order_id
        record = PermitLogged(client_order_id=order_id, body_sha256=body_sha256, origin_ns=origin_ns, at=now)
        self.ledger.commit(record)
        log.info("permit_issued", client_order_id=order_id, product=answer.product)
        return answer

    def answered(self, permit: PermitIssued, outcome: PermitOutcome) -> None:
        """Note that the create is no longer in flight."""
        now = self.ledger.clock.now()
        self.ledger.commit(PermitAnswered(client_order_id=permit.client_order_id, outcome=outcome, at=now))

    def allows_cancel(self) -> bool:
        """Whether this gate may still speak to the venue."""
        return not self.is_fenced

    def _decided(self, body_sha256: str) -> PermitIssued | PermitRefused:
        if body_sha256 in self.ledger.state.permitted:
            # First of all: every other reason says that the order is dead, and this one may live.
            return PermitRefused(reason=Refusal.PERMIT_ALREADY_ISSUED)
        if self.is_fenced:
            return PermitRefused(reason=Refusal.EPOCH)
        if self.is_dry_run:
            return PermitRefused(reason=Refusal.DRY_RUN)
        ledger = self.ledger
        kept = next((kept for kept in ledger.state.approvals.values() if kept.body_sha256 == body_sha256), None)
        tick = self.market.ticks.get(kept.product) if kept is not None else None
        return permitted(body_sha256, ledger.state, ledger.policy, tick, ledger.clock.now())
