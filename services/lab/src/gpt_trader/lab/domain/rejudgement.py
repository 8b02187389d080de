"""The sum of a re-judging: how many verdicts change, by which checks, and the money that it would have meant."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from gpt_trader.contracts.ids import DecisionId, IntentId
from gpt_trader.contracts.message import GENESIS_HASH
from gpt_trader.contracts.signals import Action
from gpt_trader.lab.domain.comparison import Difference, chained
from gpt_trader.lab.domain.outcomes import MONEY_STEP, ZERO, Closed, Outcome, Unfilled, Unsettled
from gpt_trader.lab.domain.verdicts import Change, Effect, compared, recorded, rejudged
from gpt_trader.learning.domain.counterfactuals import Counterfactual
from gpt_trader.risk_gate.domain.replay import Rejudged

_BPS = Decimal(10000)


class Basis(StrEnum):
    """Where an amount comes from; `unknown` has none."""

    TRADE = "trade"
    SCALED = "scaled"
    UNFILLED = "unfilled"
    COUNTERFACTUAL = "counterfactual"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Money:
    """What the change would have added to the result, in quote currency, net of fees: below zero = worse off."""

    difference: Decimal | None
    basis: Basis


_UNKNOWN = Money(None, Basis.UNKNOWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Priced:
    """A change and its money."""

    change: Change
    money: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """The money of several changes; `gained` and `lost` add up the known differences above and below zero."""

    changes: int
    unknown: int
    gained: Decimal
    lost: Decimal

    @property
    def difference(self) -> Decimal:
        """What all known changes together would have added."""
        return self.gained + self.lost


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckCount:
    """How many verdicts one check or sizing step changed; `alone` = with no other reason."""

    reason: str
    newly_denied: int
    newly_approved: int
    resized: int
    alone: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejudgement:
    """Everything that re-judging a span found.

    The hashes cover each verdict with every check, sizing step and price: equal hashes = the policy changes nothing.
    """

    decisions: int
    changes: tuple[Priced, ...]
    recorded_hash: str
    rejudged_hash: str
    recorded_policies: tuple[str, ...]
    policy: str
    limits: tuple[Difference, ...]
    notes: tuple[str, ...]

    @property
    def same(self) -> int:
        """Decisions with the same verdict and size; a denial may have other reasons."""
        return self.decisions - len(self.changes)

    def total(self, *effects: Effect) -> Total:
        """Sum up the changes with these effects."""
        chosen = [one.money.difference for one in self.changes if one.change.effect in effects]
        known = [difference for difference in chosen if difference is not None]
        return Total(
            changes=len(chosen),
            unknown=len(chosen) - len(known),
            gained=sum((one for one in known if one > ZERO), ZERO),
            lost=sum((one for one in known if one < ZERO), ZERO),
        )

    def by_check(self) -> tuple[CheckCount, ...]:
        """Count per check, the one that changed most first."""
        counts: Counter[tuple[str, Effect]] = Counter()
        alone: Counter[str] = Counter()
        for change in (one.change for one in self.changes):
            counts.update((reason, change.effect) for reason in change.reasons)
            alone.update(change.reasons if len(change.reasons) == 1 else ())
        rows = [
            CheckCount(
                reason=reason,
                newly_denied=counts[reason, Effect.NEWLY_DENIED],
                newly_approved=counts[reason, Effect.NEWLY_APPROVED],
                resized=counts[reason, Effect.RESIZED],
                alone=alone[reason],
            )
            for reason in dict.fromkeys(reason for reason, _ in counts)
        ]
        return tuple(sorted(rows, key=lambda row: (-row.newly_denied - row.newly_approved - row.resized, row.reason)))


@dataclass(slots=True)
class Comparing:
    """Takes re-judged decisions in order."""

    decisions: int = 0
    changes: list[Change] = field(default_factory=list)
    policies: dict[str, None] = field(default_factory=dict)
    recorded_hash: str = GENESIS_HASH
    rejudged_hash: str = GENESIS_HASH

    def take(self, one: Rejudged) -> None:
        """Compare one."""
        self.decisions += 1
        self.policies[one.decision.policy_version] = None
        self.recorded_hash = chained(self.recorded_hash, recorded(one.decision))
        self.rejudged_hash = chained(self.rejudged_hash, rejudged(one.review))
        change = compared(one)
        if change is not None:
            self.changes.append(change)

    def newly_approved(self) -> tuple[DecisionId, ...]:
        """Name the decisions whose money only a counterfactual can tell."""
        return tuple(change.decision_id for change in self.changes if change.effect is Effect.NEWLY_APPROVED)


def priced(
    changes: Iterable[Change],
    outcomes: Mapping[IntentId, Outcome],
    counterfactuals: Mapping[DecisionId, Counterfactual],
) -> tuple[Priced, ...]:
    """Put a price on every change for which the record holds one."""
    return tuple(Priced(change=one, money=_money(one, outcomes, counterfactuals)) for one in changes)


def _money(
    change: Change,
    outcomes: Mapping[IntentId, Outcome],
    counterfactuals: Mapping[DecisionId, Counterfactual],
) -> Money:
    """Price an entry. How a position would have gone on without a recorded exit, no record tells."""
    if change.action is not Action.ENTER:
        return _UNKNOWN
    if change.intent_id is None:
        return _prevented(change, counterfactuals.get(change.decision_id))
    match outcomes[change.intent_id]:
        case Closed() as closed:
            return _scaled(change, closed)
        case Unfilled():
            return Money(ZERO, Basis.UNFILLED)
        case Unsettled():
            return _UNKNOWN


def _scaled(change: Change, closed: Closed) -> Money:
    """Take the trade's result away, or its part. More fills only where all of the order filled, at the same prices."""
    is_complete = closed.quantity == change.quantity_before
    filled = change.quantity_after if is_complete else min(change.quantity_after, closed.quantity)
    difference = closed.net * (filled - closed.quantity) / closed.quantity
    basis = Basis.SCALED if filled > closed.quantity else Basis.TRADE
    return Money(difference.quantize(MONEY_STEP), basis)


def _prevented(change: Change, followed: Counterfactual | None) -> Money:
    """Give the quantity of the other policy the return that learning saw the denied entry make."""
    if followed is None or followed.net_bps is None:
        return _UNKNOWN
    difference = change.quantity_after * followed.entry_price * followed.net_bps / _BPS
    return Money(difference.quantize(MONEY_STEP), Basis.COUNTERFACTUAL)
