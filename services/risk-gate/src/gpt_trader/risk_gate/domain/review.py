"""The decision itself: gather what the checks look at, size, price, and run every check."""

from dataclasses import dataclass
from decimal import Decimal

from gpt_trader.contracts.decisions import CheckResult, SizingStep, Verdict
from gpt_trader.risk_gate.domain.checks.case import Account, Case, Request
from gpt_trader.risk_gate.domain.checks.table import CHECKS, Check, Findings, all_hold, reported, run
from gpt_trader.risk_gate.domain.exposure import Exposure, open_exits, reserved_cash, worst_case
from gpt_trader.risk_gate.domain.increments import ONE, ZERO
from gpt_trader.risk_gate.domain.policy import Policy
from gpt_trader.risk_gate.domain.portfolio import value
from gpt_trader.risk_gate.domain.pricing import limit_price, mark_age
from gpt_trader.risk_gate.domain.sizing import EntryTerms, Sized, size_entry, size_exit
from gpt_trader.risk_gate.domain.state import GateState
from gpt_trader.risk_gate.domain.trading_state import standing

_NOTHING = Sized(ZERO, ())


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """A verdict with every check; quantity and price are what would be sent if approved."""

    verdict: Verdict
    findings: Findings
    table: tuple[Check, ...]
    sizing: tuple[SizingStep, ...]
    quantity: Decimal
    notional: Decimal
    limit_price: Decimal | None
    mark: Decimal | None
    equity: Decimal | None
    exposure: Exposure | None
    trading_state: str

    def checks(self) -> tuple[CheckResult, ...]:
        """Write down what each row found."""
        return reported(self.findings, self.table)


def review(request: Request, state: GateState, policy: Policy, checks: tuple[Check, ...] = CHECKS) -> Review:
    """Approve only if no check objects; every objection is reported."""
    case = gathered(request, state, policy)
    findings = run(case, checks)
    is_approved = all_hold(findings) and case.limit_price is not None
    return Review(
        verdict=Verdict.APPROVED if is_approved else Verdict.DENIED,
        findings=findings,
        table=checks,
        sizing=case.sizing,
        quantity=case.quantity,
        notional=case.notional,
        limit_price=case.limit_price,
        mark=case.mark,
        equity=case.account.equity,
        exposure=case.account.exposure,
        trading_state=case.standing.status.value,
    )


def gathered(request: Request, state: GateState, policy: Policy) -> Case:
    """Price and size a request, and look up what the checks need of the state."""
    spec, tick = request.market.spec, request.market.tick
    mark = tick.mid if tick is not None else None
    account = _account(request, state, policy, mark)
    price = None
    if tick is not None and mark is not None and spec is not None:
        price = limit_price(request.signal.side, tick, mark, spec, policy.prices)
    sized = _sized(request, policy, price, account)
    return Case(
        request=request,
        signal=request.signal,
        purpose=request.purpose,
        now=request.now,
        policy=policy,
        state=state,
        standing=standing(state.causes, request.signal.product, request.now),
        spec=spec,
        tick=tick,
        book=request.market.book,
        mark=mark,
        mark_age=None if tick is None else mark_age(tick, request.now, policy),
        account=account,
        limit_price=price,
        quantity=sized.quantity,
        notional=sized.quantity * price * (ONE + policy.fee_rate) if price is not None else ZERO,
        sizing=sized.steps,
    )


def _account(request: Request, state: GateState, policy: Policy, mark: Decimal | None) -> Account:
    """Take stock at the marks of the request; the traded product's own tick is its mark."""
    product = request.signal.product
    marks = request.marks if mark is None else {**request.marks, product: mark}
    valuation = value(state.portfolio, marks, policy.quote_currency)
    exposure = worst_case(state.portfolio, state.approvals, marks) if valuation is not None else None
    reserved = reserved_cash(state.approvals) if exposure is None else exposure.reserved
    return Account(
        equity=valuation.equity if valuation is not None else None,
        exposure=exposure,
        position=state.portfolio.quantity(product),
        exits=open_exits(state.approvals, product),
        cash=state.portfolio.cash.get(policy.quote_currency, ZERO) - reserved,
    )


def _sized(request: Request, policy: Policy, price: Decimal | None, account: Account) -> Sized:
    """Size what can be sized; without rules, price or equity the quantity is zero and the checks say why."""
    spec = request.market.spec
    if spec is None or price is None or price <= ZERO:
        return _NOTHING
    if not request.purpose.is_entry:
        return size_exit(account.position, account.exits, request.slice_quantity, spec, price)
    if account.equity is None or account.exposure is None:
        return _NOTHING
    terms = EntryTerms(
        signal=request.signal,
        spec=spec,
        limit_price=price,
        equity=account.equity,
        exposure=account.exposure,
        cash=account.cash,
    )
    return size_entry(terms, policy)
