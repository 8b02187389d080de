"""The result of a re-judging as tables for people and as JSON for machines."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from decimal import Decimal

from gpt_trader.contracts.message import canonical
from gpt_trader.lab.adapters.table import aligned
from gpt_trader.lab.domain.rejudgement import Priced, Rejudgement
from gpt_trader.lab.domain.verdicts import Effect

MEANING = """\
Each decision was judged again alone, in the state that really was. What another verdict would have changed afterwards
(positions, cash, cooldowns, later signals) is not simulated, and a restriction that the old limits raised still stands.
"""
_BASES = """\
difference: what the change would have added to the result, net of fees; below zero = the other policy is worse off.
  trade           the closed trade that followed, at average cost; of a smaller entry the part that would be missing
  scaled          the same for a larger entry, as if all of it had filled at the prices of the real one
  unfilled        the entry never filled, so nothing would have changed
  counterfactual  what learning saw the denied entry make up to its stop, target or horizon
  unknown         not closed or not followed to an end, or an exit: not in the sums
"""
_CENT = Decimal("0.01")
_SHOWN_HASH = 16
_CHANGED = (
    "time (UTC)", "product", "strategy", "action", "before", "after", "quantity", "then", "notional", "then",
    "difference", "basis",
)  # fmt: skip
_WORDS = {
    Effect.NEWLY_DENIED: "newly denied",
    Effect.NEWLY_APPROVED: "newly approved",
    Effect.RESIZED: "size changed",
}


def as_json(found: Rejudgement) -> str:
    """Return one JSON document; `state` says what the verdicts were made on."""
    document = {
        "state": "recorded",
        "policy": found.policy,
        "recorded_policies": found.recorded_policies,
        "limits": [{"field": one.field, "before": one.recorded, "after": one.replayed} for one in found.limits],
        "decisions": found.decisions,
        "same": found.same,
        **{effect.value: found.total(effect).changes for effect in Effect},
        "recorded_hash": found.recorded_hash,
        "rejudged_hash": found.rejudged_hash,
        "by_check": [asdict(row) for row in found.by_check()],
        "changes": [asdict(one.change) | asdict(one.money) for one in found.changes],
        "money": {effect.value: _total(found, effect) for effect in Effect} | {"all": _total(found, *Effect)},
        "notes": found.notes,
    }
    return canonical(document).decode() + "\n"


def as_text(found: Rejudgement) -> str:
    """Return what was asked, the counts, the checks, every changed decision and the money."""
    lines = [*_head(found)]
    if found.changes:
        lines += ["", *_checks(found), "", *_rows(found.changes), "", *_money(found), "", *_BASES.splitlines()]
    lines += ["", *(f"note: {note}" for note in found.notes), *_hashes(found)]
    return "\n".join(lines) + "\n"


def _head(found: Rejudgement) -> Iterator[str]:
    then = ", ".join(found.recorded_policies) or "none"
    yield f"{found.decisions} decisions of policy {then} judged again by policy {found.policy}"
    yield from MEANING.splitlines()
    if found.limits:
        yield ""
        header = ("limit", "before", "after")
        yield from aligned([header, *((one.field, one.recorded, one.replayed) for one in found.limits)])
    yield ""
    counts = (("same", str(found.same)), *((word, str(found.total(one).changes)) for one, word in _WORDS.items()))
    yield from aligned([("verdicts", "decisions"), *counts])


def _checks(found: Rejudgement) -> Iterator[str]:
    header = ("verdicts changed by", *_WORDS.values(), "alone")
    rows = (
        (row.reason, *map(str, (row.newly_denied, row.newly_approved, row.resized, row.alone)))
        for row in found.by_check()
    )
    yield from aligned([header, *rows])


def _rows(changes: Sequence[Priced]) -> Iterator[str]:
    table = aligned([_CHANGED, *map(_row, changes)])
    yield f"{next(table)}  because of"
    for line, one in zip(table, changes, strict=True):
        yield f"{line}  {', '.join(one.change.reasons)}"


def _row(one: Priced) -> tuple[str, ...]:
    change = one.change
    return (
        f"{change.decided_at:%Y-%m-%d %H:%M:%S}",
        change.product,
        change.strategy,
        change.action,
        change.before,
        change.after,
        f"{change.quantity_before.normalize():f}",
        f"{change.quantity_after.normalize():f}",
        _amount(change.notional_before),
        _amount(change.notional_after),
        _amount(one.money.difference),
        one.money.basis,
    )


def _money(found: Rejudgement) -> Iterator[str]:
    rows = [(word, found.total(effect)) for effect, word in _WORDS.items()]
    rows.append(("all", found.total(*Effect)))
    header = ("money", "changes", "unknown", "gained", "lost", "difference")
    yield from aligned(
        [
            header,
            *(
                (word, str(one.changes), str(one.unknown), *map(_amount, (one.gained, one.lost, one.difference)))
                for word, one in rows
            ),
        ]
    )


def _total(found: Rejudgement, *effects: Effect) -> dict[str, object]:
    total = found.total(*effects)
    return {**asdict(total), "difference": total.difference}


def _amount(amount: Decimal | None) -> str:
    return "unknown" if amount is None else f"{amount.quantize(_CENT):f}"


def _hashes(found: Rejudgement) -> Iterator[str]:
    if found.recorded_hash == found.rejudged_hash:
        yield f"every verdict is the recorded one, check by check: {found.recorded_hash[:_SHOWN_HASH]}"
        return
    yield f"all verdicts: recorded {found.recorded_hash[:_SHOWN_HASH]}, again {found.rejudged_hash[:_SHOWN_HASH]}"
    if not found.limits:
        yield "the policy is the recorded one, so another version of the gate recorded this: `lab replay` names where"
