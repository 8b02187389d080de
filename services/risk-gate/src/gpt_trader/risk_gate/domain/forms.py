"""In which form an order goes, and at which price: a signal may wish, policy and purpose decide (EX1, EX2)."""

from datetime import datetime, timedelta
from decimal import Decimal

from gpt_trader.contracts.forms import OrderAsked, OrderForm, TimeInForce
from gpt_trader.contracts.market import ProductSpec, Tick
from gpt_trader.contracts.signals import Side
from gpt_trader.risk_gate.domain.checks.case import ORDINARY, Request
from gpt_trader.risk_gate.domain.increments import BPS, ONE, ceil_to, floor_to
from gpt_trader.risk_gate.domain.policy import Policy
from gpt_trader.risk_gate.domain.policy.execution import BRACKETS, ExecutionRules, Style
from gpt_trader.risk_gate.domain.pricing import limit_price, stop_limit, stop_trigger
from gpt_trader.risk_gate.domain.shape import STOPS, Shape

_TAKE = Shape(form=OrderForm.LIMIT_IOC)
_OWN_STOP = Shape(form=OrderForm.STOP_LIMIT_GTC)
_SPOT = frozenset(OrderForm) - {OrderForm.MARKET_IOC}
_LIMITS = frozenset({OrderForm.LIMIT_IOC, OrderForm.LIMIT_FOK, OrderForm.LIMIT_GTD, OrderForm.LIMIT_GTC})
_FUTURES = _LIMITS | {OrderForm.STOP_LIMIT_GTC, OrderForm.STOP_LIMIT_GTD}
_MILLISECOND = timedelta(milliseconds=1)


def shape_of(request: Request, policy: Policy) -> Shape:
    """Say in which form a request goes; stops and what closes in the gate's or an operator's name take."""
    rules, asked = policy.execution, request.signal.order
    if request.stop_price is not None:
        return _OWN_STOP
    if request.follows is not None:
        return _step(request.follows.number, rules, request.now)
    if request.purpose not in ORDINARY:
        return _TAKE
    if asked is not None:
        return _wished(asked, request.now)
    return _step(1, rules, request.now) if request.purpose.is_entry and rules.style is Style.MAKER_FIRST else _TAKE


def last_step(rules: ExecutionRules) -> int:
    """Return the number of the step that takes what was not made."""
    return 2 + rules.reprices


def offered(spec: ProductSpec) -> frozenset[OrderForm]:
    """Name the order types that the venue takes for a product now; brackets of futures are not known to be."""
    kinds = _SPOT if spec.future is None else _FUTURES
    return kinds & _LIMITS if spec.is_limit_only else kinds


def trigger_of(request: Request, shape: Shape, spec: ProductSpec) -> Decimal | None:
    """Return the price at which a waiting order wakes: the gate's own, or the one that the signal came with."""
    if request.stop_price is not None:
        return request.stop_price
    stop = request.signal.stop_price
    return stop_trigger(request.signal.side, stop, spec) if shape.form in STOPS and stop is not None else None


def price_of(request: Request, shape: Shape, tick: Tick, spec: ProductSpec, policy: Policy) -> Decimal | None:
    """Price an order by its form: at its trigger's, its target's, the touch, or across it; None = its price is missing.

    What is taken after it was made goes no further from the mark at arrival than the fallback may.
    """
    side, trigger, target = request.signal.side, trigger_of(request, shape, spec), request.signal.target_price
    if shape.form in BRACKETS:
        return None if target is None else _passive(side, target, spec)
    if shape.form in STOPS:
        return None if trigger is None else stop_limit(side, trigger, spec, policy)
    if shape.form.rests and not request.purpose.is_entry and target is not None:
        return _passive(side, target, spec)
    if shape.post_only:
        return _passive(side, tick.bid if side is Side.BUY else tick.ask, spec)
    crossing = limit_price(side, tick, tick.mid, spec, policy.prices)
    if request.follows is None:
        return crossing
    band = policy.execution.fallback_bps[spec.tier] / BPS
    worst = request.follows.arrival_mark * (ONE + side.sign * band)
    worst = floor_to(worst, spec.price_increment) if side is Side.BUY else ceil_to(worst, spec.price_increment)
    return min(crossing, worst) if side is Side.BUY else max(crossing, worst)


def _passive(side: Side, price: Decimal, spec: ProductSpec) -> Decimal:
    """Round away from the market."""
    return (floor_to if side is Side.BUY else ceil_to)(price, spec.price_increment)


def _step(number: int, rules: ExecutionRules, now: datetime) -> Shape:
    if number >= last_step(rules):
        return Shape(form=OrderForm.LIMIT_IOC, step=number)
    end_time = _end(now, rules.ttl_seconds)
    return Shape(form=OrderForm.LIMIT_GTD, post_only=True, end_time=end_time, step=number)


def _wished(asked: OrderAsked, now: datetime) -> Shape:
    seconds = asked.life_seconds if asked.form.time_in_force is TimeInForce.GTD else None
    life = None if seconds is None else timedelta(seconds=seconds)
    return Shape(
        form=asked.form,
        post_only=asked.post_only,
        end_time=None if life is None else _end(now, life),
        life=life,
        is_attached=asked.is_attached,
    )


def _end(now: datetime, life: timedelta) -> datetime:
    """Spell an end as the body does: to the millisecond."""
    end = now + life
    return end - timedelta(microseconds=end.microsecond) + end.microsecond // 1000 * _MILLISECOND
