"""G8: leverage, exposure, margin now and by the next window, and how far liquidation is, for futures."""

from datetime import timedelta

from gpt_trader.contracts.market import is_future
from gpt_trader.risk_gate.domain.checks.case import Case, Finding, at_least, at_most, missing
from gpt_trader.risk_gate.domain.futures.margin import Margin
from gpt_trader.risk_gate.domain.increments import ZERO

_SPOT: Finding = (True, "spot", "spot")
_FOREVER = timedelta.max


def futures_are_allowed(case: Case) -> Finding:
    """Require that the profile trades futures at all."""
    if not is_future(case.signal.product):
        return _SPOT
    return case.policy.futures.is_allowed, "future", "allowed" if case.policy.futures.is_allowed else "spot"


def contract_lives_on(case: Case) -> Finding:
    """No entry into a contract that expires soon."""
    if not is_future(case.signal.product):
        return _SPOT
    if case.spec is None or case.spec.future is None:
        return missing("contract terms")
    expiry, least = case.spec.future.expires_at, case.policy.futures.no_entry_before_expiry_seconds
    left = _FOREVER if expiry is None else expiry - case.now
    return left >= least, left, least


def futures_leverage_is_within_limit(case: Case) -> Finding:
    """Worst-case notional of futures over the dollars that back them."""
    margin = _after(case)
    if not isinstance(margin, Margin):
        return margin
    if margin.funds <= ZERO:
        return missing("funds")
    return at_most(margin.notional / margin.funds, case.policy.futures.max_leverage)


def futures_exposure_is_within_share(case: Case) -> Finding:
    """Worst-case notional of all futures together."""
    margin, equity = _after(case), case.account.equity
    if not isinstance(margin, Margin):
        return margin
    if equity is None:
        return missing("equity")
    return at_most(margin.notional, equity * case.policy.futures.exposure_fraction)


def futures_position_is_within_share(case: Case) -> Finding:
    """Worst-case notional of one contract."""
    if not is_future(case.signal.product):
        return _SPOT
    if case.account.exposure is None or case.account.equity is None:
        return missing("equity")
    after = case.account.exposure.of(case.signal.product) + case.notional
    return at_most(after, case.account.equity * case.policy.futures.position_fraction)


def initial_margin_is_covered(case: Case) -> Finding:
    """Require initial margin by the rates of now, with every open order filled."""
    margin = _after(case)
    return at_most(margin.initial, margin.funds) if isinstance(margin, Margin) else margin


def next_margin_is_covered(case: Case) -> Finding:
    """Require initial margin by the rates that follow, once the lower ones end soon."""
    margin = _after(case)
    return at_most(margin.next_initial, margin.funds) if isinstance(margin, Margin) else margin


def liquidation_buffer_is_kept(case: Case) -> Finding:
    """Wallet equity above maintenance margin, over maintenance margin."""
    margin = _after(case)
    if not isinstance(margin, Margin):
        return margin
    buffer = margin.buffer
    if buffer is None:
        return True, "none required", case.policy.futures.buffer_fraction
    return at_least(buffer, case.policy.futures.buffer_fraction)


def _after(case: Case) -> Margin | Finding:
    """Project the margin with this order open; a finding where there is nothing to project."""
    if not is_future(case.signal.product):
        return _SPOT
    margin = case.account.margin
    if margin is None or case.signal.product not in margin.terms:
        return missing("margin")
    return margin.after(case.signal.product, case.signal.side, case.notional, case.policy.fee_rate)
