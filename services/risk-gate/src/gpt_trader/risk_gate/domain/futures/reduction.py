"""When futures are only reduced, and by how much: liquidation too near (RG4), higher margin ahead, expiry (RG12)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from gpt_trader.contracts.account import Cause
from gpt_trader.contracts.market import is_future
from gpt_trader.risk_gate.domain.exposure import Sides
from gpt_trader.risk_gate.domain.futures.account import FuturesAccount
from gpt_trader.risk_gate.domain.futures.margin import is_step_near, open_profit, required
from gpt_trader.risk_gate.domain.increments import ONE, ZERO, ceil_to
from gpt_trader.risk_gate.domain.policy import Policy
from gpt_trader.risk_gate.domain.state import GateState
from gpt_trader.risk_gate.domain.trading_state import CauseCode, holds

MARGIN_CAUSES = frozenset({CauseCode.LIQUIDATION_BUFFER, CauseCode.MARGIN_WINDOW})


@dataclass(frozen=True, slots=True, kw_only=True)
class Reduction:
    """How much of a position the gate has to close, and why."""

    quantity: Decimal
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What is held of futures: wallet equity, and each position's side at mark."""

    wallet: Decimal
    sides: Mapping[str, Sides]
    account: FuturesAccount

    def buffer(self, policy: Policy, *, is_intraday: bool) -> Decimal | None:
        """Return the liquidation buffer by these rates; None = nothing is required."""
        initial = required(self.sides, self.account.terms, is_intraday=is_intraday)
        maintenance = initial * policy.futures.maintenance_fraction
        return None if not maintenance else (self.wallet - maintenance) / maintenance


def reduction(
    state: GateState, policy: Policy, marks: Mapping[str, Decimal], product: str, now: datetime
) -> Reduction | None:
    """Return what has to be closed of this product now, to keep the distance to liquidation; None = nothing."""
    held = held_of(state, marks)
    causes = [cause for cause in state.causes if cause.code in MARGIN_CAUSES and holds(cause, now)]
    if held is None or product not in held.sides or not _is_patience_over(causes, policy, now):
        return None
    is_intraday = held.account.is_intraday and not is_step_near(held.account, policy, now)
    fraction = policy.futures.maintenance_fraction
    terms, sides = held.account.terms, held.sides
    weights = {name: required({name: one}, terms, is_intraday=is_intraday) * fraction for name, one in sides.items()}
    most = max(held.wallet, ZERO) / (ONE + policy.futures.buffer_recovered_fraction)
    excess = sum(weights.values(), ZERO) - most
    if excess <= ZERO or product != max(weights, key=lambda name: (weights[name], name)):
        return None
    quantity = abs(state.portfolio.quantity(product))
    wanted = ceil_to(quantity * min(excess / weights[product], ONE), terms[product].contract_size)
    return Reduction(quantity=min(wanted, quantity), detail=", ".join(f"{one.code}: {one.detail}" for one in causes))


def closes_before_expiry(state: GateState, policy: Policy, product: str, now: datetime) -> bool:
    """Whether a contract is so near its expiry that the gate closes what is held of it."""
    terms = None if state.futures is None else state.futures.terms.get(product)
    if terms is None or terms.expires_at is None:
        return False
    return terms.expires_at - policy.futures.close_before_expiry_seconds <= now


def _is_patience_over(causes: list[Cause], policy: Policy, now: datetime) -> bool:
    return any(now - cause.since >= policy.futures.reduce_after_seconds for cause in causes)


def held_of(state: GateState, marks: Mapping[str, Decimal]) -> Held | None:
    """Take stock of what is held; None while the account, a mark or a contract's terms are not known."""
    account = state.futures
    names = {name for name, one in state.portfolio.holdings.items() if one.quantity and is_future(name)}
    if account is None or not names <= marks.keys() or not names <= account.terms.keys():
        return None
    sides = {name: _side(state.portfolio.quantity(name) * marks[name]) for name in sorted(names)}
    return Held(wallet=account.cash + open_profit(state.portfolio, marks), sides=sides, account=account)


def _side(worth: Decimal) -> Sides:
    return Sides(max(worth, ZERO), max(-worth, ZERO))
