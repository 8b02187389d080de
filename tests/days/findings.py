"""What a day's run says about itself: read from the bus, put into tables."""

from collections import Counter
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import Any

from gpt_trader.contracts.account import AccountSnapshot, TradingState
from gpt_trader.contracts.decisions import Decision, Verdict
from gpt_trader.contracts.orders import Fill

ZERO = Decimal(0)


@dataclass(slots=True, kw_only=True)
class Day:
    """One profile's day. `objections`: rule -> (times, times alone); `shares` are of equity, highest of the day."""

    profile: str
    verdicts: dict[str, int]
    objections: dict[str, tuple[int, int]]
    fills: int
    fees: Decimal
    pnl: Decimal
    worst_pnl: Decimal
    loss_limit: Decimal
    total_share: Decimal
    total_cap: Decimal
    asset_share: Decimal
    asset_cap: Decimal
    position: Decimal
    position_cap: Decimal
    breakers: list[str]
    rejudged: dict[str, Any] = field(default_factory=dict)
    recomputed: list[str] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """Everything, for JSON."""
        return asdict(self)


def found(profile: str, running: Any, policy: dict[str, Any]) -> Day:
    """Read a running system's streams."""
    decisions: list[Decision] = running.history("DECISIONS", Decision)
    accounts = [one for one in running.history("STATE", AccountSnapshot, "account") if one.equity > ZERO]
    states: list[TradingState] = running.history("STATE", TradingState, "state.trading")
    fills: list[Fill] = running.history("FILLS", Fill)
    positions = [
        (abs(held.quantity) * held.mark, account.equity)
        for account in accounts
        for held in account.positions
        if held.mark is not None
    ]
    start = accounts[0].day_start_equity
    limits = policy["limits"]
    return Day(
        profile=profile,
        verdicts=dict(Counter(decision.verdict.value for decision in decisions)),
        objections=_objections(decisions),
        fills=len(fills),
        fees=sum((fill.fee for fill in fills), ZERO),
        pnl=accounts[-1].day_pnl,
        worst_pnl=min(account.day_pnl for account in accounts),
        loss_limit=min(
            start * Decimal(str(limits["daily_loss_fraction"])), Decimal(str(limits["daily_loss_notional"]))
        ),
        total_share=max(account.worst_case_exposure / account.equity for account in accounts),
        total_cap=Decimal(str(policy["exposure"]["total_fraction"])),
        asset_share=max((worth / equity for worth, equity in positions), default=ZERO),
        asset_cap=Decimal(str(policy["exposure"]["per_asset_fraction"])),
        position=max((worth for worth, _ in positions), default=ZERO),
        position_cap=Decimal(str(limits["max_position_notional"])),
        breakers=_breakers(states),
    )


def tables(days: list[Day]) -> str:
    """Lay the profiles side by side."""
    rows = [["", *(day.profile for day in days)]]
    rows += [[f"decisions {name}", *(str(day.verdicts.get(name, 0)) for day in days)] for name in map(str, Verdict)]
    for rule in sorted({rule for day in days for rule in day.objections}):
        cells = (day.objections.get(rule, (0, 0)) for day in days)
        rows.append([f"denied by {rule} (alone)", *(f"{times} ({alone})" for times, alone in cells)])
    rows += [
        ["fills", *(str(day.fills) for day in days)],
        ["fees", *(f"{day.fees:.2f}" for day in days)],
        ["P&L of the day, net", *(f"{day.pnl:.2f}" for day in days)],
        ["worst P&L / daily loss limit", *(f"{day.worst_pnl:.2f} / {-day.loss_limit:.2f}" for day in days)],
        ["worst exposure / cap", *(f"{day.total_share:.2%} / {day.total_cap:.0%}" for day in days)],
        ["largest asset / cap", *(f"{day.asset_share:.2%} / {day.asset_cap:.0%}" for day in days)],
        ["largest position / cap", *(f"{day.position:.2f} / {day.position_cap}" for day in days)],
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    for day in days:
        lines += ["", f"{day.profile}: breakers", *(f"  {breaker}" for breaker in day.breakers or ["none"])]
        lines += [f"{day.profile}: against the venue's books alone", *(f"  {line}" for line in day.recomputed)]
        lines += [f"{day.profile}: the same day with half the daily loss limit", f"  {_told(day.rejudged)}"]
    return "\n".join(lines)


def _told(rejudged: dict[str, Any]) -> str:
    if "refused" in rejudged:
        return str(rejudged["refused"])
    changes = ", ".join(f"{rejudged[name]} {name}" for name in ("same", "newly_denied", "newly_approved", "resized"))
    return f"{changes}; it would have meant {rejudged['money']['all']['difference']}"


def _objections(decisions: list[Decision]) -> dict[str, tuple[int, int]]:
    times: Counter[str] = Counter()
    alone: Counter[str] = Counter()
    for decision in decisions:
        rules = {f"{failed.check} {failed.rule}" for failed in decision.failures}
        times.update(rules)
        alone.update(rules if len(rules) == 1 else ())
    return {rule: (count, alone[rule]) for rule, count in times.items()}


def _breakers(states: list[TradingState]) -> list[str]:
    """Name every cause once, with its times; `starting` belongs to each start."""
    seen = {}
    for state in states:
        for cause in state.causes:
            seen[(cause.code, cause.product, cause.since)] = cause
    return [
        f"{cause.since:%H:%M:%S} {cause.status.value} {cause.code} {cause.product or ''}: {cause.detail}"
        f"{f' (until {cause.until:%H:%M:%S})' if cause.until else ''}"
        for cause in seen.values()
        if cause.code != "starting"
    ]
