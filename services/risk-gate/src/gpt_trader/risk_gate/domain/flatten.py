"""Closing positions by an operator's order: limit IOC slices against the book, each with a decision of its own."""

from datetime import datetime, timedelta
from decimal import Decimal

from gpt_trader.contracts.decisions import MarketView
from gpt_trader.contracts.ids import SignalId, signal_id
from gpt_trader.contracts.market import Tick
from gpt_trader.contracts.signals import Action, Side, Signal
from gpt_trader.risk_gate.domain.increments import ZERO
from gpt_trader.risk_gate.domain.policy import Policy
from gpt_trader.risk_gate.domain.state import GateState
from gpt_trader.risk_gate.domain.terms import rules_of

STRATEGY = "operator"
_LIFE = timedelta(minutes=1)


def targets(state: GateState, product: str | None) -> tuple[str, ...]:
    """Name the products to close: all that are held, or the one asked for."""
    return tuple(name for name, _ in state.portfolio.closable() if product is None or name == product)


def slice_of(market: MarketView, policy: Policy, side: Side) -> Decimal | None:
    """Return how much to send at once: a share of the visible depth, at least a minimum order; None = no market."""
    tick, spec = market.tick, rules_of(market)
    if tick is None or spec is None:
        return None
    depth = _depth_notional(market, side) or _touch_notional(tick, side)
    cheapest = spec.quote_min_size * 2 / tick.mid  # what the venue takes, with room for a falling price
    return max(depth * policy.flatten.depth_fraction / tick.mid, spec.base_min_size, cheapest)


def flatten_signal(product: str, position: Decimal, tick: Tick, cause: str, now: datetime) -> Signal:
    """Ask, in the operator's name, to close what is held."""
    side = Side.SELL if position > ZERO else Side.BUY
    named: SignalId = signal_id(STRATEGY, product, Action.EXIT, cause)
    return Signal(
        signal_id=named,
        strategy=STRATEGY,
        product=product,
        action=Action.EXIT,
        side=side,
        confidence=Decimal(1),
        reference_price=tick.mid,
        stop_price=None,
        target_price=None,
        reason="flatten",
        evidence={},
        parameters_version="",
        caused_by=cause,
        created_at=now,
        expires_at=now + _LIFE,
    )


def _depth_notional(market: MarketView, side: Side) -> Decimal:
    if market.book is None or not market.book.depth:
        return ZERO
    widest = max(market.book.depth, key=lambda band: band.within_bps)
    return widest.bid_notional if side is Side.SELL else widest.ask_notional


def _touch_notional(tick: Tick, side: Side) -> Decimal:
    return tick.bid * tick.bid_quantity if side is Side.SELL else tick.ask * tick.ask_quantity
