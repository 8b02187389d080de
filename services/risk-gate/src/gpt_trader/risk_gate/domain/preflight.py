"""What must be so before the gate may trade for real money, and what each finding asks of the operator (PF1)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum

from gpt_trader.risk_gate.domain.increments import ZERO
from gpt_trader.risk_gate.domain.policy import Policy, Profile
from gpt_trader.risk_gate.domain.venue import Balance, KeyPermissions, ProductRules

MOST_DRIFT = timedelta(milliseconds=150)
"""How far our clock may be from the venue's at a live start (MD12)."""
LEAST_BALANCE = Decimal(100)
"""What an account must hold, in the policy's quote currency, for a live start (PF2)."""
RETIRED_PORTFOLIO = "INTX"
_INTX = (
    "INTX perpetuals left Advanced Trade on 2026-10-01: use a key of a default portfolio, and CFM futures (products"
    " ending in -CDE) instead of perpetuals"
)
_MILLISECOND = timedelta(milliseconds=1)


class Result(StrEnum):
    """A failed finding blocks a live start; a warning blocks nothing."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the preflight: what was looked at, the figure, and what to do if it is not well."""

    check: str
    result: Result
    figure: str
    advice: str = ""


def of_key(permissions: KeyPermissions) -> Finding:
    """Require view and trade, refuse transfer, and refuse the portfolio of a venue that is gone."""
    rights = {
        "view": permissions.can_view,
        "trade": permissions.can_trade,
        "transfer": permissions.can_transfer,
    }
    figure = f"may {', '.join(name for name, is_given in rights.items() if is_given) or 'nothing'}"
    if permissions.portfolio_type.upper() == RETIRED_PORTFOLIO:
        return Finding("key scopes", Result.FAILED, f"portfolio type {permissions.portfolio_type}", _INTX)
    if permissions.can_transfer:
        advice = "make a key without the transfer right in the CDP portal: a stolen one must not move money out"
        return Finding("key scopes", Result.FAILED, figure, advice)
    if not (permissions.can_view and permissions.can_trade):
        return Finding("key scopes", Result.FAILED, figure, "make a key that may view and trade")
    return Finding("key scopes", Result.OK, figure)


def of_clock(offset: timedelta, *, is_live: bool) -> Finding:
    """Compare the clocks; elsewhere than live a difference only warns."""
    figure = f"the venue's clock is {offset / _MILLISECOND:+.0f} ms from ours (at most {MOST_DRIFT / _MILLISECOND:.0f})"
    if abs(offset) <= MOST_DRIFT:
        return Finding("clock", Result.OK, figure)
    return Finding("clock", _unless(is_live=is_live), figure, "synchronise this machine's clock (chrony or ntpd)")


def of_balance(balances: Sequence[Balance], currency: str, *, is_live: bool) -> Finding:
    """Require enough to trade with."""
    held = sum((one.total for one in balances if one.currency == currency), ZERO)
    figure = f"{held:.2f} {currency} (at least {LEAST_BALANCE})"
    if held >= LEAST_BALANCE:
        return Finding("balance", Result.OK, figure)
    advice = f"deposit {currency}: below the minimum every order is near the venue's smallest"
    return Finding("balance", _unless(is_live=is_live), figure, advice)


def of_policy(policy: Policy, *, is_live: bool) -> Finding:
    """Refuse the limits of the demo where money is real."""
    figure = f"{policy.profile.value} {policy.version()}"
    if policy.profile is not Profile.DEMO:
        return Finding("policy", Result.OK, figure)
    if not is_live:
        return Finding("policy", Result.OK, figure)
    return Finding("policy", Result.FAILED, figure, "the demo's limits are loose: choose canary first")


def of_products(rules: Sequence[ProductRules], policy: Policy) -> Finding:
    """Require a product that the policy could trade; a product it caps and the venue does not trade is a warning."""
    traded = {one.product: one for one in rules if one.is_tradable and one.quote_currency == policy.quote_currency}
    fitting = [one for one in traded.values() if one.quote_min_size <= policy.limits.max_order_notional]
    figure = f"{len(traded)} products in {policy.quote_currency}, {len(fitting)} with a minimum within the order cap"
    if not fitting:
        return Finding("products", Result.FAILED, figure, "nothing could be ordered: look at limits.max_order_notional")
    unknown = sorted(set(policy.sizing.max_quantities) - traded.keys())
    if unknown:
        return Finding("products", Result.WARNING, figure, f"the venue does not trade {', '.join(unknown)}")
    return Finding("products", Result.OK, figure)


def of_disk(free_bytes: int, least_bytes: int, wait: timedelta, slow: timedelta) -> Finding:
    """Require room and speed for the journal."""
    figure = f"{free_bytes // 1_000_000} MB free, fsync {wait / _MILLISECOND:.1f} ms"
    if free_bytes < least_bytes:
        return Finding("disk", Result.FAILED, figure, f"make room: {least_bytes // 1_000_000} MB are needed")
    if wait > slow:
        return Finding("disk", Result.FAILED, figure, "put the journal on a faster disk: every decision is synced")
    return Finding("disk", Result.OK, figure)


def blocks(findings: Sequence[Finding]) -> bool:
    """Whether something is critically wrong."""
    return any(finding.result is Result.FAILED for finding in findings)


def _unless(*, is_live: bool) -> Result:
    return Result.FAILED if is_live else Result.WARNING
