"""Answers the egress: a permit is on disk before it is given, and none is given once trading is halted."""

from dataclasses import dataclass, field

from gpt_trader.contracts.intents import Purpose
from gpt_trader.risk_gate.domain.exposure import Approval
from gpt_trader.risk_gate.domain.permits import PermitIssued, PermitOutcome, PermitRefused, Refusal, permitted
from gpt_trader.risk_gate.domain.records import PermitAnswered, PermitLogged
from gpt_trader.risk_gate.service.ledger import Ledger
from gpt_trader.risk_gate.service.market_watch import MarketWatch
from gpt_trader.runtime import logs

log = logs.get("risk-gate")


@dataclass(slots=True, kw_only=True)
class PermitDesk:
    """Implements Permits. `is_fenced` once a later gate has claimed the epoch; a dry run approves but sends nothing.

    A refusal is final: whoever heard it has declared the order dead, so the same body asked for again, by another
    executor or in a replay, is dead too. Memory is enough for that: what was approved before a restart is of an old
    epoch, and gets no permit either.
    """

    ledger: Ledger
    market: MarketWatch
    is_dry_run: bool
    is_fenced: bool = False
    _refused: dict[str, Refusal] = field(default_factory=dict)

    def purpose_of(self, body_sha256: str) -> Purpose | None:
        """Return what an approved body is for, until its permit is issued."""
        if body_sha256 in self.ledger.state.permitted:
            return None
        kept = self._approval(body_sha256)
        return None if kept is None else kept.purpose

    def is_on_its_way(self, body_sha256: str) -> bool:
        """Whether the approval of this body is written down, and not yet that the bus has it."""
        kept = self._approval(body_sha256)
        return kept is not None and not kept.is_stored

    def ask(self, body_sha256: str, origin_ns: int | None) -> PermitIssued | PermitRefused:
        """Decide, write it down, answer."""
        now = self.ledger.clock.now()
        answer = self._decided(body_sha256)
        if isinstance(answer, PermitRefused):
            kept = self._approval(body_sha256)
            of_what = {} if kept is None else {"decision_id": kept.decision_id, "client_order_id": kept.client_order_id}
            if answer.reason is not Refusal.PERMIT_ALREADY_ISSUED:
                self._remember(body_sha256, answer.reason)
            log.warning("permit_refused", reason=answer.reason.value, body_sha256=body_sha256, **of_what)
            return answer
        order_id = answer.client_order_id
        decision_id = self.ledger.state.approvals[order_id].decision_id
        record = PermitLogged(client_order_id=order_id, body_sha256=body_sha256, origin_ns=origin_ns, at=now)
        self.ledger.commit(record)
        log.info("permit_issued", client_order_id=order_id, product=answer.product, decision_id=decision_id)
        return answer

    def forgo(self, body_sha256: str) -> None:
        """Refuse this body from now on, as its sender was told."""
        if body_sha256 not in self.ledger.state.permitted:
            self._remember(body_sha256, Refusal.RATE_BUDGET)

    def answered(self, permit: PermitIssued, outcome: PermitOutcome) -> None:
        """Note that the create is no longer in flight."""
        now = self.ledger.clock.now()
        self.ledger.commit(PermitAnswered(client_order_id=permit.client_order_id, outcome=outcome, at=now))

    def objection_to_cancel(self) -> Refusal | None:
        """Say why no cancel may leave: a fenced gate says nothing any more, and a dry run changes nothing there."""
        if self.is_fenced:
            return Refusal.EPOCH
        return Refusal.DRY_RUN if self.is_dry_run else None

    def allows_read(self) -> bool:
        """Whether this gate may still speak to the venue."""
        return not self.is_fenced

    def _decided(self, body_sha256: str) -> PermitIssued | PermitRefused:
        if body_sha256 in self.ledger.state.permitted:
            # First of all: every other reason says that the order is dead, and this one may live.
            return PermitRefused(reason=Refusal.PERMIT_ALREADY_ISSUED)
        if body_sha256 in self._refused:
            return PermitRefused(reason=self._refused[body_sha256])
        if self.is_fenced:
            return PermitRefused(reason=Refusal.EPOCH)
        if self.is_dry_run:
            return PermitRefused(reason=Refusal.DRY_RUN)
        ledger = self.ledger
        kept = self._approval(body_sha256)
        tick = self.market.ticks.get(kept.product) if kept is not None else None
        return permitted(body_sha256, ledger.state, ledger.policy, tick, ledger.clock.now())

    def _remember(self, body_sha256: str, reason: Refusal) -> None:
        """Keep a refusal as long as its approval lives: without one there is no permit anyway."""
        live = {kept.body_sha256 for kept in self.ledger.state.approvals.values()} & {*self._refused, body_sha256}
        self._refused = {body: self._refused.get(body, reason) for body in live}

    def _approval(self, body_sha256: str) -> Approval | None:
        approvals = self.ledger.state.approvals.values()
        return next((kept for kept in approvals if kept.body_sha256 == body_sha256), None)
