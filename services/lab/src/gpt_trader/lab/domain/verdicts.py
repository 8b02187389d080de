"""Where another policy's verdict on a recorded request differs from the recorded one, and which checks made it so."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from itertools import zip_longest

from gpt_trader.contracts.decisions import CheckResult, Decision, Outcome, SizingStep, Verdict
from gpt_trader.contracts.ids import DecisionId, IntentId
from gpt_trader.contracts.message import canonical
from gpt_trader.contracts.signals import Action
from gpt_trader.risk_gate.domain.replay import Rejudged
from gpt_trader.risk_gate.domain.review import Review

ZERO = Decimal(0)


class Effect(StrEnum):
    """What the other policy does to a verdict; `resized` is approved by both, with another quantity."""

    NEWLY_DENIED = "newly_denied"
    NEWLY_APPROVED = "newly_approved"
    RESIZED = "resized"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One verdict that is not what it was.

    Quantity and notional (quote currency, worst fee included) are what a verdict lets through: a denial's are zero.
    `reasons`: the checks that object in only one of the two reviews, or the sizing step that made the difference.
    """

    decision_id: DecisionId
    intent_id: IntentId | None
    decided_at: datetime
    product: str
    strategy: str
    action: Action
    effect: Effect
    before: Verdict
    after: Verdict
    quantity_before: Decimal
    quantity_after: Decimal
    notional_before: Decimal
    notional_after: Decimal
    reasons: tuple[str, ...]


def compared(one: Rejudged) -> Change | None:
    """Compare two verdicts on one request; None = the same verdict and size."""
    decision, review = one.decision, one.review
    effect = _effect(decision, review)
    if effect is None:
        return None
    was, is_now = decision.verdict is Verdict.APPROVED, review.verdict is Verdict.APPROVED
    return Change(
        decision_id=decision.decision_id,
        intent_id=decision.intent_id,
        decided_at=decision.decided_at,
        product=decision.product,
        strategy=decision.signal.strategy,
        action=decision.signal.action,
        effect=effect,
        before=decision.verdict,
        after=review.verdict,
        quantity_before=decision.quantity if was else ZERO,
        quantity_after=review.quantity if is_now else ZERO,
        notional_before=decision.notional if was else ZERO,
        notional_after=review.notional if is_now else ZERO,
        reasons=_reasons(effect, decision, review),
    )


def recorded(decision: Decision) -> bytes:
    """Write a recorded verdict with all its evidence in one byte form."""
    return _content(decision.verdict, decision.checks, decision.sizing, decision.quantity, decision.limit_price)


def rejudged(review: Review) -> bytes:
    """Write a verdict of today in the byte form of `recorded`."""
    return _content(review.verdict, review.checks(), review.sizing, review.quantity, review.limit_price)


def _content(
    verdict: Verdict,
    checks: tuple[CheckResult, ...],
    sizing: tuple[SizingStep, ...],
    quantity: Decimal,
    limit_price: Decimal | None,
) -> bytes:
    return canonical([verdict, checks, sizing, quantity, limit_price])


def _effect(decision: Decision, review: Review) -> Effect | None:
    match decision.verdict, review.verdict:
        case Verdict.APPROVED, Verdict.DENIED:
            return Effect.NEWLY_DENIED
        case Verdict.DENIED, Verdict.APPROVED:
            return Effect.NEWLY_APPROVED
        case Verdict.APPROVED, Verdict.APPROVED if decision.quantity != review.quantity:
            return Effect.RESIZED
        case _:
            return None


def _reasons(effect: Effect, decision: Decision, review: Review) -> tuple[str, ...]:
    match effect:
        case Effect.NEWLY_DENIED:
            return _objections(review.checks())
        case Effect.NEWLY_APPROVED:
            return _objections(decision.checks)
        case Effect.RESIZED:
            is_smaller = review.quantity < decision.quantity
            smaller, larger = (review, decision) if is_smaller else (decision, review)
            return (f"sizing {_binding_step(smaller.sizing, larger.sizing)}",)


def _objections(checks: tuple[CheckResult, ...]) -> tuple[str, ...]:
    return tuple(f"{check.check} {check.rule}" for check in checks if check.outcome is Outcome.FAILED)


def _binding_step(smaller: tuple[SizingStep, ...], larger: tuple[SizingStep, ...]) -> str:
    """Name the first step at which the smaller size parts from the larger."""
    pairs = zip_longest(smaller, larger)
    return next((own.step for own, other in pairs if own is not None and own != other), "price")
