"""From a request to the record of its decision; the same request on the same state gives the same bytes."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from gpt_trader.contracts.decisions import CheckResult, Decision, Verdict
from gpt_trader.contracts.ids import DecisionId, decision_id
from gpt_trader.contracts.intents import ApprovedIntent
from gpt_trader.contracts.message import GENESIS_HASH, canonical, digest, embedded
from gpt_trader.risk_gate.domain.approval import Terms, approve, contract_size_of
from gpt_trader.risk_gate.domain.checks.case import UNKNOWN, Account, Request
from gpt_trader.risk_gate.domain.consequences import is_worlds_fault, of_decision
from gpt_trader.risk_gate.domain.policy import Policy
from gpt_trader.risk_gate.domain.records import DecisionMade
from gpt_trader.risk_gate.domain.review import Review, review
from gpt_trader.risk_gate.domain.spelling import Spelling
from gpt_trader.risk_gate.domain.state import GateState
from gpt_trader.risk_gate.domain.terms import rules_of


@dataclass(frozen=True, slots=True)
class Written:
    """The record of a decision, with the canonical form of the decision: journal and bus hold the same bytes."""

    record: DecisionMade
    form: bytes

    def payload(self) -> Mapping[str, object]:
        """Return what the journal holds: the record around the form that is there already."""
        return {**self.record.model_dump(mode="json", exclude={"decision"}), "decision": embedded(self.form)}


def decide(request: Request, state: GateState, policy: Policy, spelling: Spelling) -> DecisionMade:
    """Review a request and write down the verdict, the intent it may lead to, and what it does to trading."""
    return write(request, state, policy, spelling).record


def write(request: Request, state: GateState, policy: Policy, spelling: Spelling) -> Written:
    """Decide, and keep the form in which the decision was hashed."""
    found = review(request, state, policy)
    checks = found.checks()
    terms = _terms(request, found, state)
    intent = None if terms is None else approve(terms, state, policy, spelling)
    decision, form = _sealed(_decision(request, found, checks, state, policy, intent))
    record = DecisionMade.model_construct(  # of what was validated, or made here: fifty marks are not looked at again
        purpose=request.purpose,
        marks=request.marks,
        is_in_universe=request.is_in_universe,
        slice_quantity=request.slice_quantity,
        stop_price=request.stop_price,
        follows=request.follows,
        preview=request.preview,
        is_infrastructure=is_worlds_fault(request, checks),
        decision=decision,
        intent=intent,
        raised=of_decision(request, checks, state, policy),
    )
    return Written(record, form)


def request_of(record: DecisionMade) -> Request:
    """Give back the request that a decision was made on."""
    return Request(
        signal=record.decision.signal,
        purpose=record.purpose,
        market=record.decision.market,
        marks=record.marks,
        is_in_universe=record.is_in_universe,
        slice_quantity=record.slice_quantity,
        stop_price=record.stop_price,
        follows=record.follows,
        preview=record.preview,
        now=record.decision.decided_at,
    )


def _sealed(decision: Decision) -> tuple[Decision, bytes]:
    """Set the hash: SHA-256 of the decision's canonical form while its own hash is still all zeros.

    The canonical form is the one thing that bus and journal agree on: the journal sorts the keys of evidence.
    """
    plain = decision.model_dump(mode="json", exclude={"checks"})
    plain["checks"] = [_plain(found) for found in decision.checks]
    unsealed = canonical(plain)
    own_hash = digest(unsealed)
    sealed = unsealed.replace(_NO_HASH, _NO_HASH.replace(GENESIS_HASH.encode(), own_hash.encode()), 1)
    return decision.model_copy(update={"hash": own_hash}), sealed


_NO_HASH = f'"hash":"{GENESIS_HASH}"'.encode()
"""Sorted, it stands behind account and checks alone, whose keys are ours; inside a value its quotes are escaped."""


def _plain(found: CheckResult) -> dict[str, str]:
    """Spell a row as its model does, in a third of the time: there are some eighty in each decision."""
    return {
        "check": found.check,
        "detail": found.detail,
        "limit": found.limit,
        "outcome": found.outcome,
        "rule": found.rule,
        "unit": found.unit,
        "value": found.value,
    }


def is_sealed(decision: Decision) -> bool:
    """Whether nothing in a decision was changed after it was made."""
    return digest(canonical(decision.model_copy(update={"hash": GENESIS_HASH}))) == decision.hash


def _terms(request: Request, found: Review, state: GateState) -> Terms | None:
    """Settle what is approved, if anything is."""
    spec = rules_of(request.market)
    if found.verdict is Verdict.DENIED or found.limit_price is None or found.mark is None or spec is None:
        return None
    return Terms(
        decision_id=_named(state),
        signal=request.signal,
        purpose=request.purpose,
        quantity=found.quantity,
        contract_size=contract_size_of(spec),
        increment=spec.base_increment,
        limit_price=found.limit_price,
        stop_price=found.stop_price,
        shape=found.shape,
        worst_notional=found.notional,
        mark=found.mark,
        arrival_mark=found.mark if request.follows is None else request.follows.arrival_mark,
        now=request.now,
    )


def _named(state: GateState) -> DecisionId:
    return decision_id(state.epoch, state.decisions + 1)


def _decision(
    request: Request,
    found: Review,
    checks: tuple[CheckResult, ...],
    state: GateState,
    policy: Policy,
    intent: ApprovedIntent | None,
) -> Decision:
    return Decision(
        decision_id=_named(state),
        sequence=state.decisions + 1,
        epoch=state.epoch,
        product=request.signal.product,
        signal=request.signal,
        verdict=found.verdict,
        checks=checks,
        sizing=found.sizing,
        quantity=found.quantity,
        notional=found.notional,
        limit_price=found.limit_price,
        market=request.market,
        account=_account(found, state, policy) | _risk(found.account),
        policy_version=state.policy_version,
        trading_state=found.trading_state,
        intent_id=None if intent is None else intent.intent_id,
        step=found.shape.step,
        decided_at=request.now,
        previous_hash=state.decision_head,
        hash=GENESIS_HASH,
    )


def _account(found: Review, state: GateState, policy: Policy) -> dict[str, Decimal | str]:
    """Sum up the account as the review saw it."""
    equity, exposure = found.account.equity, found.account.exposure
    cash = state.portfolio.cash.get(policy.quote_currency, Decimal(0))
    return {
        "equity": UNKNOWN if equity is None else equity,
        "exposure": UNKNOWN if exposure is None else exposure.total,
        "reserved": UNKNOWN if exposure is None else exposure.reserved,
        "cash": cash,
        "day_start_equity": UNKNOWN if state.day_start_equity is None else state.day_start_equity,
        "peak_equity": UNKNOWN if state.peak_equity is None else state.peak_equity,
        "open_orders": str(len(state.approvals)),
    }


def _risk(account: Account) -> dict[str, Decimal | str]:
    """Sum up the portfolio's risk before the order (SZ6): positions alone, then with open orders at their worst."""
    exposure, groups = account.exposure, account.grouped
    if exposure is None or groups is None:
        return dict.fromkeys(("gross", "net", "cluster", "correlated"), UNKNOWN)
    return {
        "gross": exposure.total - exposure.reserved,
        "net": exposure.net,
        "cluster": groups.cluster,
        "correlated": groups.correlated,
    }
