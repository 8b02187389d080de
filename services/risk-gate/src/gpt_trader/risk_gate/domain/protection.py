"""What the gate closes by itself: stops nobody acts on, positions held too long, positions whose strategy is gone.

Who acts (ADR 0006): the strategy, while it lives and does; the venue's own stop, where one rests; else the gate.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from gpt_trader.contracts.account import Cause, TradingStatus
from gpt_trader.contracts.decisions import MarketView
from gpt_trader.contracts.ids import signal_id
from gpt_trader.contracts.intents import Purpose
from gpt_trader.contracts.market import Tick
from gpt_trader.contracts.signals import Action, Signal
from gpt_trader.risk_gate.domain.exposure import resting_stop
from gpt_trader.risk_gate.domain.flatten import flatten_signal
from gpt_trader.risk_gate.domain.futures.reduction import closes_before_expiry, reduction
from gpt_trader.risk_gate.domain.hearing import Hearing
from gpt_trader.risk_gate.domain.increments import ONE, ZERO, floor_to
from gpt_trader.risk_gate.domain.policy import Policy
from gpt_trader.risk_gate.domain.portfolio import Holding
from gpt_trader.risk_gate.domain.pricing import is_fresh
from gpt_trader.risk_gate.domain.records import CauseCleared, CauseRaised, Record
from gpt_trader.risk_gate.domain.state import GateState
from gpt_trader.risk_gate.domain.terms import rules_of
from gpt_trader.risk_gate.domain.trading_state import CauseCode, allows, standing

STRATEGY = "risk-gate"


class Ground(StrEnum):
    """Why the gate closes a position in its own name."""

    STOP = "stop"
    MAX_HOLD = "max_hold"
    ABANDONED = "abandoned"
    MARGIN = "margin"
    EXPIRY = "expiry"


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """What the gate saw besides its state; `breached_for` counts in real time since a product's stop was reached."""

    markets: Mapping[str, MarketView]
    hearing: Hearing
    breached_for: Mapping[str, timedelta]
    wall: datetime
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DueExit:
    """A position that the gate has to close now; `quantity` is the part that has to go, None = all of it."""

    product: str
    position: Decimal
    ground: Ground
    detail: str
    quantity: Decimal | None = None


def stop_of(holding: Holding, policy: Policy) -> Decimal:
    """Return the price at which a position is given up: its entry's, or the policy's distance from its cost."""
    if holding.stop_price is not None:
        return holding.stop_price
    distance = policy.protection.default_stop_fraction
    return holding.average_price * (ONE - distance if holding.quantity > ZERO else ONE + distance)


def breached(state: GateState, markets: Mapping[str, MarketView], policy: Policy, now: datetime) -> frozenset[str]:
    """Name the products whose stop is reached: by the bid for what is sold, by the ask for what is bought back."""
    return frozenset(
        product
        for product, holding in held(state)
        if (tick := _fresh_tick(markets.get(product), policy, now)) is not None and _is_reached(holding, tick, policy)
    )


def due_exits(state: GateState, watch: Watch, policy: Policy) -> Iterator[DueExit]:
    """Find what has to be closed now; a product whose exit is still in flight waits for its end."""
    marks = {name: view.tick.mid for name, view in watch.markets.items() if view.tick is not None}
    for product, holding in held(state):
        if not _may_exit(state, product, watch.now) or _is_dust(holding, watch.markets.get(product)):
            continue
        found = _ground(state, product, holding, watch, policy)
        if found is not None:
            ground, detail = found
            yield DueExit(product=product, position=holding.quantity, ground=ground, detail=detail)
        elif (excess := reduction(state, policy, marks, product, watch.now)) is not None:
            yield DueExit(
                product=product,
                position=holding.quantity,
                ground=Ground.MARGIN,
                detail=excess.detail,
                quantity=excess.quantity,
            )


def orphans(state: GateState, markets: Mapping[str, MarketView], policy: Policy, now: datetime) -> frozenset[str]:
    """Name the positions that nothing could close now: no rules, no fresh price, no stop at the venue (RG13)."""
    return frozenset(
        product
        for product, holding in held(state)
        if not _is_dust(holding, view := markets.get(product))
        and (view is None or view.spec is None or _fresh_tick(view, policy, now) is None)
        and resting_stop(state.approvals, product) is None
    )


def orphaned(state: GateState, lasting: Collection[str], now: datetime) -> tuple[Record, ...]:
    """Restrict each product that has an orphan, and lift it once the position can be closed again."""
    code = CauseCode.ORPHAN_POSITION
    known = {cause.product for cause in state.causes if cause.code == code and cause.product is not None}
    raised = tuple(CauseRaised(cause=_orphan(product, now), at=now) for product in sorted(set(lasting) - known))
    reason = "its position can be closed"
    cleared = tuple(
        CauseCleared(code=code, product=product, reason=reason, at=now) for product in sorted(known - set(lasting))
    )
    return (*raised, *cleared)


def protective_signal(exit_: DueExit, tick: Tick, cause: str, now: datetime) -> Signal:
    """Ask, in the gate's own name, to close a position."""
    asked = flatten_signal(exit_.product, exit_.position, tick, cause, now)
    named = signal_id(STRATEGY, exit_.product, Action.EXIT, cause)
    reason = f"{exit_.ground}: {exit_.detail}"
    return asked.model_copy(update={"signal_id": named, "strategy": STRATEGY, "reason": reason})


def held(state: GateState) -> Iterator[tuple[str, Holding]]:
    """Give each product with a position."""
    return state.portfolio.closable()


def has_exit_in_flight(state: GateState, product: str) -> bool:
    """Whether an order that reduces the position is on its way; one that rests at the venue is taken back first."""
    return any(
        kept.product == product and not kept.purpose.is_entry and not kept.form.rests and kept.remaining > ZERO
        for kept in state.approvals.values()
    )


def is_being_flattened(state: GateState, product: str) -> bool:
    """Whether an operator's flatten of it has not ended."""
    return any(wanted.product in {None, product} for wanted in state.flattens)


def _may_exit(state: GateState, product: str, now: datetime) -> bool:
    """Whether a protective order may be sent, and none of any kind is on its way already."""
    is_allowed = allows(standing(state.causes, product, now).status, Purpose.PROTECTIVE)
    return is_allowed and not has_exit_in_flight(state, product) and not is_being_flattened(state, product)


def _ground(
    state: GateState, product: str, holding: Holding, watch: Watch, policy: Policy
) -> tuple[Ground, str] | None:
    rules, view = policy.protection, watch.markets.get(product)
    silent_for = watch.hearing.of(product, watch.wall)
    is_silent = silent_for >= rules.strategy_silent_seconds
    breach = watch.breached_for.get(product)
    if breach is not None:
        is_left_to_venue = resting_stop(state.approvals, product) is not None
        if breach >= rules.stop_grace_seconds or (is_silent and not is_left_to_venue):
            who = f"strategy silent for {_whole(silent_for)}" if is_silent else f"no exit for {_whole(breach)}"
            return Ground.STOP, f"{stop_of(holding, policy)} reached, {who}"
    limit = None if view is None or view.spec is None else rules.max_hold_seconds.get(view.spec.tier)
    if limit is not None and holding.opened_at is not None and watch.now - holding.opened_at >= limit:
        return Ground.MAX_HOLD, f"held since {holding.opened_at.isoformat()}, longest {_whole(limit)}"
    if closes_before_expiry(state, policy, product, watch.now):
        return Ground.EXPIRY, "the contract is about to expire"
    if rules.flattens_abandoned and silent_for >= rules.abandoned_seconds:
        return Ground.ABANDONED, f"strategy silent for {_whole(silent_for)}"
    return None


def _is_reached(holding: Holding, tick: Tick, policy: Policy) -> bool:
    stop = stop_of(holding, policy)
    return tick.bid <= stop if holding.quantity > ZERO else tick.ask >= stop


def _fresh_tick(view: MarketView | None, policy: Policy, now: datetime) -> Tick | None:
    tick = None if view is None else view.tick
    return tick if tick is not None and is_fresh(tick, now, policy, policy.marks.stale_seconds) else None


def _is_dust(holding: Holding, view: MarketView | None) -> bool:
    """Whether the venue takes no order that small: it can't be closed, and needs no protection."""
    spec = None if view is None else rules_of(view)
    if view is None or spec is None:
        return False
    price = holding.average_price if view.tick is None else view.tick.mid
    sellable = floor_to(abs(holding.quantity), spec.base_increment)
    return sellable < spec.base_min_size or sellable * price < spec.quote_min_size


def _whole(span: timedelta) -> str:
    return f"{span // timedelta(seconds=1)} s"


def _orphan(product: str, now: datetime) -> Cause:
    return Cause(
        code=CauseCode.ORPHAN_POSITION,
        status=TradingStatus.REDUCE_ONLY,
        detail="no fresh price or no product rules, and no stop at the venue: nothing could close this position",
        product=product,
        since=now,
        until=None,
    )
