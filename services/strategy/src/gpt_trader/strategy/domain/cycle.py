"""One evaluation of one lane: may it decide at all, must it exit, may it enter."""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from gpt_trader.contracts import ids
from gpt_trader.contracts.account import Position, TradingStatus
from gpt_trader.contracts.intents import Purpose
from gpt_trader.contracts.signals import Action, NoTrade, Side, Signal
from gpt_trader.strategy.domain.exits import exit_reason
from gpt_trader.strategy.domain.state import AnyLane, Latch, State
from gpt_trader.strategy.domain.strategy import Choice, Decision, View


class Idle(StrEnum):
    """Why a cycle ended without a trade; closed, because it labels metrics."""

    KILLED = "killed"
    HALTED = "halted"
    NO_TRADING_STATE = "no_trading_state"
    NO_ACCOUNT = "no_account"
    WARMING_UP = "warming_up"
    STALE_CANDLES = "stale_candles"
    HOLDING = "holding"
    HELD_ELSEWHERE = "held_elsewhere"
    EXIT_REQUESTED = "exit_requested"
    ENTRY_REQUESTED = "entry_requested"
    ORDER_OPEN = "order_open"
    ENTRIES_BLOCKED = "entries_blocked"
    NOT_IN_UNIVERSE = "not_in_universe"
    NO_OPPORTUNITY = "no_opportunity"


Result = tuple[AnyLane, Signal | NoTrade]


def on_close(state: State, lane: AnyLane, now: datetime) -> Result:
    """Decide on the newest candle: exits first, then entries; without a trade, say why."""
    obstacle = silence(state, lane, now)
    if obstacle is not None:
        return lane, no_trade(lane, *obstacle, now)
    candle = lane.candles[-1]
    position = state.position(lane.product)
    is_ours = position is not None and state.is_ours(lane, position)
    holding = lane.holding(position) if position is not None and is_ours else None
    view = View(candle=candle, indicators=lane.indicators, holding=holding)
    decision: Decision = lane.strategy.decide(view, lane.parameters, now)
    cause = f"candle:{lane.interval}:{candle.start.isoformat()}"
    if position is None:
        return _entry(state, lane, decision, cause, now)
    if holding is None:
        owner = position.strategy or "nobody here"
        return lane, no_trade(lane, Idle.HELD_ELSEWHERE, f"the position was opened by {owner}", now)
    reason = exit_reason(holding, candle.close, lane.parameters, now)
    if reason is None and decision.choice is Choice.EXIT:
        reason = f"opposite signal: {decision.reason}"
    if reason is None:
        return lane, no_trade(lane, Idle.HOLDING, "in a position, no exit is due", now, decision)
    return _exit(state, lane, replace(decision, reason=reason), cause, now)


def on_price(state: State, lane: AnyLane, price: Decimal, cause: str, now: datetime) -> tuple[AnyLane, Signal | None]:
    """Exit on price or time between candles; stale candles do not take that protection away."""
    position = _exitable(state, lane)
    if position is None or _halt(state) is not None:
        return lane, None
    lane = replace(lane, peak=max(price, lane.holding(position).peak))
    reason = exit_reason(lane.holding(position), price, lane.parameters, now)
    if reason is None:
        return lane, None
    lane, output = _exit(state, lane, Decision(choice=Choice.EXIT, reason=reason), cause, now)
    return lane, output if isinstance(output, Signal) else None


def silence(state: State, lane: AnyLane, now: datetime) -> tuple[Idle, str] | None:
    """Return why nothing at all may be decided on candles; None if it may."""
    halt = _halt(state)
    if halt is not None:
        return halt
    if state.account is None:
        return Idle.NO_ACCOUNT, "positions are unknown: no account snapshot was seen"
    if not lane.strategy.is_warm(lane.indicators):
        return Idle.WARMING_UP, f"indicators are warming up: {len(lane.candles)} candles of {lane.interval} seen"
    if lane.is_stale(now):
        return Idle.STALE_CANDLES, f"the newest {lane.interval} candle ended at {lane.closed_at}"
    return None


def no_trade(lane: AnyLane, idle: Idle, reason: str, now: datetime, decision: Decision | None = None) -> NoTrade:
    """Say why a cycle ended without a trade."""
    evidence: dict[str, Decimal | str] = {"code": idle.value, "parameters_version": lane.version}
    if decision is not None:
        evidence |= decision.evidence
    return NoTrade(strategy=lane.strategy.name, product=lane.product, reason=reason, evidence=evidence, decided_at=now)


def _halt(state: State) -> tuple[Idle, str] | None:
    if state.latch is not Latch.OPEN:
        return Idle.KILLED, "killed: nothing is decided until the gate has halted and was reset"
    if state.trading is None:
        return Idle.NO_TRADING_STATE, "the gate's trading state was not seen yet"
    if state.trading.status is TradingStatus.HALTED:
        return Idle.HALTED, "trading is halted"
    return None


def _exitable(state: State, lane: AnyLane) -> Position | None:
    position = state.position(lane.product)
    return position if position is not None and state.is_ours(lane, position) else None


def _exit(state: State, lane: AnyLane, decision: Decision, cause: str, now: datetime) -> Result:
    if _is_outstanding(lane.exit_asked_at, state, now):
        return lane, no_trade(
            lane, Idle.EXIT_REQUESTED, f"an exit was requested at {lane.exit_asked_at}", now, decision
        )
    if _has_order(state, lane.product, {Purpose.EXIT, Purpose.FLATTEN}):
        return lane, no_trade(lane, Idle.ORDER_OPEN, "an exit order is open", now, decision)
    sure = replace(decision, choice=Choice.EXIT, confidence=Decimal(1), stop_price=None, target_price=None)
    return replace(lane, exit_asked_at=now), _signal(state, lane, sure, cause, now)


def _entry(state: State, lane: AnyLane, decision: Decision, cause: str, now: datetime) -> Result:
    if decision.choice is not Choice.ENTER:
        reason = decision.reason if decision.choice is Choice.WAIT else f"nothing to exit: {decision.reason}"
        return lane, no_trade(lane, Idle.NO_OPPORTUNITY, reason, now, decision)
    obstacle = _entry_obstacle(state, lane, now)
    if obstacle is not None:
        return lane, no_trade(lane, *obstacle, now, decision)
    return replace(lane, entry_asked_at=now), _signal(state, lane, decision, cause, now)


def _entry_obstacle(state: State, lane: AnyLane, now: datetime) -> tuple[Idle, str] | None:
    status = _status_for(state, lane.product, now)
    if status is not TradingStatus.ACTIVE:
        return Idle.ENTRIES_BLOCKED, f"entries are blocked: trading is {status}"
    if not lane.is_tradable:
        return Idle.NOT_IN_UNIVERSE, "the product left the universe"
    if _has_order(state, lane.product, set(Purpose)):
        return Idle.ORDER_OPEN, "an order of ours is open"
    if any(_is_outstanding(other.entry_asked_at, state, now) for other in state.on_product(lane.product)):
        return Idle.ENTRY_REQUESTED, "an entry was requested and is not settled yet"
    return None


def _status_for(state: State, product: str, now: datetime) -> TradingStatus:
    """Trading status of one product: what holds for other products only is left out."""
    if state.trading is None or not state.trading.causes:
        return TradingStatus.PAUSED if state.trading is None else state.trading.status
    ladder = tuple(TradingStatus)
    holding = (
        ladder.index(cause.status)
        for cause in state.trading.causes
        if cause.strategy is None and cause.product in {None, product} and (cause.until is None or cause.until > now)
    )
    return ladder[max(holding, default=0)]


def _is_outstanding(asked_at: datetime | None, state: State, now: datetime) -> bool:
    return asked_at is not None and now - asked_at < state.setup.signal_ttl


def _has_order(state: State, product: str, purposes: set[Purpose]) -> bool:
    orders = state.account.open_orders if state.account is not None else ()
    return any(order.product == product and order.purpose in purposes for order in orders)


def _signal(state: State, lane: AnyLane, decision: Decision, cause: str, now: datetime) -> Signal:
    action = Action.ENTER if decision.choice is Choice.ENTER else Action.EXIT
    evidence: dict[str, Decimal | str] = {"interval": lane.interval, **decision.evidence}
    return Signal(
        signal_id=ids.signal_id(lane.strategy.name, lane.product, action, cause),
        strategy=lane.strategy.name,
        product=lane.product,
        action=action,
        side=Side.BUY if action is Action.ENTER else Side.SELL,
        confidence=decision.confidence,
        reference_price=_reference(lane, action),
        stop_price=decision.stop_price,
        target_price=decision.target_price,
        reason=decision.reason,
        evidence=evidence,
        parameters_version=lane.version,
        caused_by=cause,
        created_at=now,
        expires_at=now + state.setup.signal_ttl,
    )


def _reference(lane: AnyLane, action: Action) -> Decimal:
    """Return what the order would meet: the newest quote, or the last close where no quote is newer."""
    closed_at, tick = lane.closed_at, lane.tick
    if tick is not None and (closed_at is None or tick.occurred_at >= closed_at):
        return tick.ask if action is Action.ENTER else tick.bid
    return lane.candles[-1].close
