"""The decision itself: gather what the checks look at, size, price, and run every check."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from gpt_trader.contracts.decisions import CheckResult, SizingStep, Verdict
from gpt_trader.contracts.market import ProductSpec, is_future
from gpt_trader.risk_gate.domain.checks.case import Account, Case, Request
from gpt_trader.risk_gate.domain.checks.table import CHECKS, Check, Findings, all_hold, reported, run
from gpt_trader.risk_gate.domain.exposure import Exposure, open_exits, worst_case
from gpt_trader.risk_gate.domain.forms import price_of, shape_of, trigger_of
from gpt_trader.risk_gate.domain.futures.margin import Margin, margin_of
from gpt_trader.risk_gate.domain.groups import grouped
from gpt_trader.risk_gate.domain.increments import ONE, ZERO
from gpt_trader.risk_gate.domain.policy import Policy
from gpt_trader.risk_gate.domain.portfolio import value
from gpt_trader.risk_gate.domain.pricing import mark_age, worst_price
from gpt_trader.risk_gate.domain.shape import Shape
from gpt_trader.risk_gate.domain.sizing import EntryTerms, Sized, size_entry, size_exit
from gpt_trader.risk_gate.domain.state import GateState
from gpt_trader.risk_gate.domain.terms import rules_of
from gpt_trader.risk_gate.domain.trading_state import standing

_NOTHING = Sized(ZERO, ())
_ADMISSION = tuple(check for check in CHECKS if check.check in {"G1", "G2", "G3"})
_MICROSECOND = timedelta(microseconds=1)


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
    account: Account
    shape: Shape
    stop_price: Decimal | None
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
        account=case.account,
        shape=case.shape,
        stop_price=case.trigger,
        trading_state=case.standing.status.value,
    )


def is_admitted(request: Request, state: GateState, policy: Policy) -> bool:
    """Whether nothing objects to a request as such: it is fresh, first, allowed now, and of a product that trades."""
    return all_hold(run(gathered(request, state, policy), _ADMISSION))


def gathered(request: Request, state: GateState, policy: Policy) -> Case:
    """Price and size a request, and look up what the checks need of the state."""
    spec, tick = rules_of(request.market), request.market.tick
    mark = tick.mid if tick is not None else None
    account = _account(request, state, policy, mark)
    shape = shape_of(request, policy)
    price = None if tick is None or spec is None else price_of(request, shape, tick, spec, policy)
    unit = _unit_price(request, price, mark)
    sized = _NOTHING if spec is None else _sized(request, spec, (state, policy), unit, account)
    return Case(
        request=request,
        signal=request.signal,
        purpose=request.purpose,
        now=request.now,
        before_today=request.now.replace(hour=0, minute=0, second=0, microsecond=0) - _MICROSECOND,
        policy=policy,
        state=state,
        standing=standing(state.causes, request.signal.product, request.now),
        spec=spec,
        tick=tick,
        book=request.market.book,
        mark=mark,
        mark_age=None if tick is None else mark_age(tick, request.now, policy),
        account=account,
        shape=shape,
        trigger=None if spec is None else trigger_of(request, shape, spec),
        limit_price=price,
        quantity=sized.quantity,
        notional=sized.quantity * unit * (ONE + policy.fee_rate) if unit is not None else ZERO,
        sizing=sized.steps,
    )


def _account(request: Request, state: GateState, policy: Policy, mark: Decimal | None) -> Account:
    """Take stock at the marks of the request; the traded product's own tick is its mark."""
    product = request.signal.product
    marks = request.marks if mark is None else {**request.marks, product: mark}
    valuation = value(state.portfolio, marks, policy.quote_currency)
    exposure = None if valuation is None else worst_case(valuation.worths, state.approvals, marks)
    margin = None if exposure is None else margin_of(state, policy, exposure, marks, request.now)
    orders = state.approvals.of(product)
    return Account(
        equity=None if valuation is None else valuation.equity,
        exposure=exposure,
        position=state.portfolio.quantity(product),
        orders=orders,
        exits=open_exits(orders),
        cash=_free_cash(state, policy, exposure, margin),
        margin=margin,
        grouped=None if exposure is None else grouped(product, exposure, _coefficients(request), policy.exposure),
    )


def _coefficients(request: Request) -> Mapping[str, Decimal]:
    statistics = request.market.statistics
    return {} if statistics is None else statistics.correlations


def _unit_price(request: Request, price: Decimal | None, mark: Decimal | None) -> Decimal | None:
    """Return what a unit counts for: an entry's worst, an exit's limit."""
    if price is None or mark is None or not request.purpose.is_entry:
        return price
    return worst_price(request.signal.side, price, mark)


def _free_cash(state: GateState, policy: Policy, exposure: Exposure | None, margin: Margin | None) -> Decimal | None:
    """Return the dollars that nothing is promised to; None while futures need margin that is not known."""
    cash = state.portfolio.cash.get(policy.quote_currency, ZERO) - state.approvals.spot.cash
    if exposure is not None and not exposure.futures:
        return cash
    if margin is None:
        return None if exposure is not None or _has_futures(state) else cash
    return min(cash, margin.funds) - max(margin.initial, margin.next_initial)


def _has_futures(state: GateState) -> bool:
    is_held = any(one.quantity and is_future(name) for name, one in state.portfolio.holdings.items())
    return is_held or bool(state.approvals.futures)


def _sized(
    request: Request, spec: ProductSpec, books: tuple[GateState, Policy], price: Decimal | None, account: Account
) -> Sized:
    """Size what can be sized; without price or equity the quantity is zero and the checks say why."""
    state, policy = books
    if price is None or price <= ZERO:
        return _NOTHING
    if not request.purpose.is_entry:
        return size_exit(account.position, account.exits, request.slice_quantity, spec, price)
    if account.equity is None or account.exposure is None or account.grouped is None or account.cash is None:
        return _NOTHING
    terms = EntryTerms(
        signal=request.signal,
        spec=spec,
        unit_price=price,
        equity=account.equity,
        exposure=account.exposure,
        grouped=account.grouped,
        cash=account.cash,
        margin=account.margin,
        statistics=request.market.statistics,
        tally=state.performance.of(request.signal.strategy),
    )
    return size_entry(terms, policy, None if request.follows is None else request.follows.left)
