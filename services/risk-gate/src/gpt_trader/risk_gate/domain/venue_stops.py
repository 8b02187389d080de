"""Stops that rest at the venue: one per position, as large as the position, gone before anything else exits it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from gpt_trader.contracts.decisions import MarketView
from gpt_trader.contracts.ids import signal_id
from gpt_trader.contracts.intents import Purpose
from gpt_trader.contracts.market import ProductSpec, Tick
from gpt_trader.contracts.signals import Action, Side, Signal
from gpt_trader.risk_gate.domain.amending import is_amendable, is_nearer
from gpt_trader.risk_gate.domain.exposure import Approval, resting, stops_of
from gpt_trader.risk_gate.domain.flatten import flatten_signal
from gpt_trader.risk_gate.domain.increments import ZERO, floor_to
from gpt_trader.risk_gate.domain.policy import Policy
from gpt_trader.risk_gate.domain.portfolio import Holding
from gpt_trader.risk_gate.domain.pricing import stop_trigger
from gpt_trader.risk_gate.domain.protection import STRATEGY, is_being_flattened, stop_of
from gpt_trader.risk_gate.domain.state import GateState
from gpt_trader.risk_gate.domain.terms import rules_of
from gpt_trader.risk_gate.domain.trading_state import allows, standing

_ASKED_AGAIN = timedelta(seconds=30)
"""The executor goes on asking by itself; this is for one that lost its journal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A stop to be put at the venue for the whole position."""

    product: str
    position: Decimal
    stop_price: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdraw:
    """A stop to be taken back from the venue."""

    approval: Approval
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Amend:
    """A stop to be given its position's size, and a price nearer to the market, where it rests."""

    approval: Approval
    place: Place
    quantity: Decimal


def stop_orders(
    state: GateState, markets: Mapping[str, MarketView], policy: Policy, now: datetime
) -> Iterator[Place | Withdraw | Amend]:
    """Say what has to change at the venue, so that each position has the one stop it should have."""
    stopped = {kept.product for kept in state.approvals.values() if _is_own(kept)}
    held = {product for product, _ in state.portfolio.closable()}
    for product in sorted(stopped | held):
        holding, view = state.portfolio.holdings.get(product, Holding()), markets.get(product)
        stops = tuple(kept for kept in stops_of(state.approvals, product) if _is_own(kept))
        if stops:
            is_moving = any(not kept.is_stop for kept in state.approvals.of(product))
            found = (_changed(stop, holding, view, policy, now) for stop in stops)
            yield from (one for one in found if one is not None and not (is_moving and isinstance(one, Amend)))
        elif view is not None and (spec := rules_of(view)) is not None and policy.protection.venue_stops:
            placed = _placed(state, product, holding, (view.tick, spec), policy)
            if placed is not None and _may_place(state, product, spec, now):
                yield placed


def withdrawals(state: GateState, product: str, reason: str, now: datetime) -> tuple[Withdraw, ...]:
    """Take back all that rests for a product, so that something else can exit it; what was asked a moment ago is not.

    A resting entry would buy back what is sold, or meet the very order that sells it.
    """
    return tuple(
        Withdraw(approval=one, reason=reason) for one in resting(state.approvals, product) if _may_ask(one, now)
    )


def stop_signal(place: Place, tick: Tick, cause: str, now: datetime) -> Signal:
    """Ask, in the gate's own name, for a stop at the venue."""
    asked = flatten_signal(place.product, place.position, tick, cause, now)
    named = signal_id(STRATEGY, place.product, Action.EXIT, cause)
    reason = f"stop at the venue: {place.stop_price}"
    return asked.model_copy(update={"signal_id": named, "strategy": STRATEGY, "reason": reason})


def _changed(
    stop: Approval, holding: Holding, view: MarketView | None, policy: Policy, now: datetime
) -> Withdraw | Amend | None:
    """Change or take back a stop that does not fit its position any more; one whose product is unseen stays."""
    if not _may_ask(stop, now):
        return None
    if not holding.quantity:
        return Withdraw(approval=stop, reason="nothing is held")
    if not policy.protection.venue_stops:
        return Withdraw(approval=stop, reason="the policy wants none at the venue")
    spec = None if view is None else rules_of(view)
    if view is None or spec is None:
        return None
    return _fitted(stop, holding, (view.tick, spec), policy)


def _fitted(
    stop: Approval, holding: Holding, market: tuple[Tick | None, ProductSpec], policy: Policy
) -> Withdraw | Amend | None:
    """Give a stop its position's size and stop where it rests, or else take it back; while it is changed it stays."""
    tick, spec = market
    side, quantity, trigger = _terms(holding, spec, policy)
    if (side, quantity, trigger) == (stop.side, stop.remaining, stop.trigger_price) or stop.amending is not None:
        return None
    is_moved = trigger != stop.trigger_price
    may_move = not is_moved or (is_nearer(stop, trigger) and tick is not None and _is_ahead(tick, side, trigger))
    if policy.execution.amends and is_amendable(stop) and side is stop.side and may_move:
        place = Place(product=stop.product, position=holding.quantity, stop_price=trigger)
        return Amend(approval=stop, place=place, quantity=stop.counted + quantity)
    return Withdraw(approval=stop, reason="the position or its stop has changed")


def _placed(
    state: GateState, product: str, holding: Holding, market: tuple[Tick | None, ProductSpec], policy: Policy
) -> Place | None:
    """Place it while the market is on the right side of it; a stop that is reached already is the gate's to run."""
    tick, spec = market
    if tick is None or _is_busy(state, product):
        return None
    side, quantity, trigger = _terms(holding, spec, policy)
    is_large_enough = quantity >= spec.base_min_size and quantity * trigger >= spec.quote_min_size
    if not _is_ahead(tick, side, trigger) or not is_large_enough or quantity > spec.base_max_size:
        return None
    return Place(product=product, position=holding.quantity, stop_price=trigger)


def _is_ahead(tick: Tick, side: Side, trigger: Decimal) -> bool:
    """Whether the market has not reached it."""
    touch = min(tick.bid, tick.last_price) if side is Side.SELL else max(tick.ask, tick.last_price)
    return (trigger - touch) * side.sign > ZERO


def _terms(holding: Holding, spec: ProductSpec, policy: Policy) -> tuple[Side, Decimal, Decimal]:
    side = Side.SELL if holding.quantity > ZERO else Side.BUY
    quantity = floor_to(abs(holding.quantity), spec.base_increment)
    return side, quantity, stop_trigger(side, stop_of(holding, policy), spec)


def _may_place(state: GateState, product: str, spec: ProductSpec, now: datetime) -> bool:
    flags = (spec.is_disabled, spec.is_cancel_only, spec.is_limit_only, spec.is_post_only, spec.is_auction)
    return not any(flags) and allows(standing(state.causes, product, now).status, Purpose.PROTECTIVE)


def _is_busy(state: GateState, product: str) -> bool:
    """Whether its position is about to change: then the stop follows when it has."""
    return is_being_flattened(state, product) or any(kept.product == product for kept in state.approvals.values())


def _is_own(kept: Approval) -> bool:
    """Whether it is a stop that the gate placed, and not one that a strategy wished for its exit."""
    return kept.is_stop and kept.purpose is Purpose.PROTECTIVE


def _may_ask(stop: Approval, now: datetime) -> bool:
    is_open = stop.status is None or not stop.status.is_terminal
    return is_open and (stop.cancel_asked_at is None or now - stop.cancel_asked_at >= _ASKED_AGAIN)
