"""From a request to the record of its decision; the same request on the same state gives the same bytes."""

from collections.abc import Mapping
from decimal import Decimal

from gpt_trader.contracts.decisions import CheckResult, Decision, Verdict
from gpt_trader.contracts.ids import DecisionId, decision_id
from gpt_trader.contracts.intents import ApprovedIntent
from gpt_trader.contracts.message import GENESIS_HASH, canonical, digest
from gpt_trader.risk_gate.domain.approval import Terms, approve
from gpt_trader.risk_gate.domain.checks.case import Request
from gpt_trader.risk_gate.domain.checks.table import is_infrastructure
from gpt_trader.risk_gate.domain.consequences import of_decision
from gpt_trader.risk_gate.domain.policy import Policy
from gpt_trader.risk_gate.domain.records import DecisionMade
from gpt_trader.risk_gate.domain.review import Review, review
from gpt_trader.risk_gate.domain.state import GateState


def decide(request: Request, state: GateState, policy: Policy) -> DecisionMade:
    """Review a request and write down the verdict, the intent it may lead to, and what it does to trading."""
    found = review(request, state, policy)
    checks = found.checks()
    named = decision_id(state.epoch, state.decisions + 1)
    intent = _intent(request, found, named, state, policy)
    return DecisionMade(
        purpose=request.purpose,
        marks=request.marks,
        is_in_universe=request.is_in_universe,
        slice_quantity=request.slice_quantity,
        is_infrastructure=request.purpose.is_entry and is_infrastructure(checks),
        decision=sealed(_decision(request, found, checks, state, policy, intent)),
        intent=intent,
        raised=of_decision(request, checks, state, policy),
    )


def request_of(record: DecisionMade) -> Request:
    """Give back the request that a decision was made on."""
    return Request(
        signal=record.decision.signal,
        purpose=record.purpose,
        market=record.decision.market,
        marks=record.marks,
        is_in_universe=record.is_in_universe,
        slice_quantity=record.slice_quantity,
        now=record.decision.decided_at,
    )


def sealed(decision: Decision) -> Decision:
    """Set the hash: SHA-256 of the decision's canonical form while its own hash is still all zeros.

    The canonical form is the one thing that bus and journal agree on: the journal sorts the keys of evidence.
    """
    return decision.model_copy(update={"hash": digest(canonical(decision))})


def is_sealed(decision: Decision) -> bool:
    """Whether nothing in a decision was changed after it was made."""
    return digest(canonical(decision.model_copy(update={"hash": GENESIS_HASH}))) == decision.hash


def _intent(
    request: Request, found: Review, named: DecisionId, state: GateState, policy: Policy
) -> ApprovedIntent | None:
    if found.verdict is Verdict.DENIED or found.limit_price is None or found.mark is None:
        return None
    terms = Terms(
        decision_id=named,
        signal=request.signal,
        purpose=request.purpose,
        quantity=found.quantity,
        limit_price=found.limit_price,
        worst_notional=found.notional,
        mark=found.mark,
        now=request.now,
    )
    return approve(terms, state, policy)


def _decision(
    request: Request,
    found: Review,
    checks: tuple[CheckResult, ...],
    state: GateState,
    policy: Policy,
    intent: ApprovedIntent | None,
) -> Decision:
    return Decision(
        decision_id=decision_id(state.epoch, state.decisions + 1),
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
        account=_account(found, state, policy),
        policy_version=state.policy_version,
        trading_state=found.trading_state,
        intent_id=None if intent is None else intent.intent_id,
        decided_at=request.now,
        previous_hash=state.decision_head,
        hash=GENESIS_HASH,
    )


def _account(found: Review, state: GateState, policy: Policy) -> Mapping[str, Decimal | str]:
    """Sum up the account as the review saw it."""
    cash = state.portfolio.cash.get(policy.quote_currency, Decimal(0))
    return {
        "equity": "unknown" if found.equity is None else found.equity,
        "exposure": "unknown" if found.exposure is None else found.exposure.total,
        "reserved": "unknown" if found.exposure is None else found.exposure.reserved,
        "cash": cash,
        "day_start_equity": "unknown" if state.day_start_equity is None else state.day_start_equity,
        "peak_equity": "unknown" if state.peak_equity is None else state.peak_equity,
        "open_orders": str(len(state.approvals)),
    }
