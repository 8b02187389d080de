"""What each guard saved or cost: the counterfactuals of denials, credited to every check that objected (LL2)."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from gpt_trader.learning.domain.counterfactuals import Counterfactual


@dataclass(frozen=True, slots=True, kw_only=True)
class DeniedEntry:
    """A denied entry and, once its path has ended, what it would have made."""

    failed: tuple[str, ...]
    counterfactual: Counterfactual | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardReport:
    """One check's record in quote currency. `saved`: losses prevented; `cost`: gains prevented.

    An entry that several checks denied counts in full for each of them, so rows must not be added up; the `sole_`
    figures count only entries that nothing else denied, and do add up. `unsized`: ended, but without a size, so that
    only `net_bps` (the sum of returns) tells of them.
    """

    check: str
    denials: int
    sole_denials: int
    followed: int
    unsized: int
    saved: Decimal
    cost: Decimal
    sole_saved: Decimal
    sole_cost: Decimal
    net_bps: Decimal

    @property
    def balance(self) -> Decimal:
        """What the guard was worth: saved less cost."""
        return self.saved - self.cost


def guard_reports(denied: Iterable[DeniedEntry]) -> tuple[GuardReport, ...]:
    """Report every check that ever denied an entry, by name."""
    by_check: dict[str, list[DeniedEntry]] = {}
    for entry in denied:
        for check in dict.fromkeys(entry.failed):
            by_check.setdefault(check, []).append(entry)
    return tuple(_report(check, entries) for check, entries in sorted(by_check.items()))


def _report(check: str, entries: list[DeniedEntry]) -> GuardReport:
    sole = [entry for entry in entries if set(entry.failed) == {check}]
    results = _results(entries)
    returns = tuple(result.net_bps for result in results if result.net_bps is not None)
    nets, sole_nets = _nets(results), _nets(_results(sole))
    return GuardReport(
        check=check,
        denials=len(entries),
        sole_denials=len(sole),
        followed=len(returns),
        unsized=len(returns) - len(nets),
        saved=_losses(nets),
        cost=_gains(nets),
        sole_saved=_losses(sole_nets),
        sole_cost=_gains(sole_nets),
        net_bps=sum(returns, Decimal(0)),
    )


def _results(entries: list[DeniedEntry]) -> tuple[Counterfactual, ...]:
    return tuple(entry.counterfactual for entry in entries if entry.counterfactual is not None)


def _nets(results: tuple[Counterfactual, ...]) -> tuple[Decimal, ...]:
    return tuple(result.net for result in results if result.net is not None)


def _gains(nets: tuple[Decimal, ...]) -> Decimal:
    return sum((net for net in nets if net > 0), Decimal(0))


def _losses(nets: tuple[Decimal, ...]) -> Decimal:
    return -sum((net for net in nets if net < 0), Decimal(0))
