"""The fold: a state and an input give the next state and what to say."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import assert_never

from gpt_trader.contracts.account import AccountSnapshot, TradingState, TradingStatus
from gpt_trader.contracts.market import Candle, CandleOrigin, Tick, Universe
from gpt_trader.contracts.proposals import Parameters
from gpt_trader.strategy.domain import cycle
from gpt_trader.strategy.domain.inputs import Input, Kill, KillReset, Pulse
from gpt_trader.strategy.domain.parameters import ParametersOutOfBounds, adopt, version_of
from gpt_trader.strategy.domain.setup import Assignment, Setup, Strategies, require_runnable
from gpt_trader.strategy.domain.state import (
    AnyLane,
    Lane,
    Latch,
    Output,
    ParametersAdopted,
    ParametersRefused,
    State,
)

Step = tuple[State, tuple[Output, ...]]


def begin(setup: Setup, strategies: Strategies) -> State:
    """State before the first input; raises UnknownStrategy, ParametersOutOfBounds or ValueError for a bad setup."""
    require_runnable(setup, strategies)
    parameters = {
        given.strategy: adopt(strategies[given.strategy].parameters(), given.parameters) for given in setup.assignments
    }
    state = State(setup=setup, strategies=strategies, parameters=parameters)
    return state.with_lanes(
        *(
            _lane(state, given, product)
            for given in setup.assignments
            for product in given.products or ()
            if setup.has(product)
        )
    )


def evolve(state: State, event: Input, now: datetime) -> Step:  # noqa: PLR0911, C901 - one line per kind of input
    """Fold one input; the same inputs give the same outputs, whatever the machine or the day."""
    match event:
        case Tick():
            return _on_tick(state, event, now)
        case Candle():
            return _on_candle(state, event, now)
        case AccountSnapshot():
            return _on_account(state, event), ()
        case TradingState():
            return _on_trading_state(state, event), ()
        case Parameters():
            return _on_parameters(state, event)
        case Universe():
            return _on_universe(state, event), ()
        case Kill():
            return replace(state, latch=Latch.KILLED), ()
        case KillReset():
            return replace(state, latch=Latch.ACKNOWLEDGED if state.latch is Latch.KILLED else state.latch), ()
        case Pulse():
            return _on_pulse(state, now)
        case _:
            assert_never(event)


def _on_tick(state: State, tick: Tick, now: datetime) -> Step:
    is_fresh = now - tick.occurred_at <= state.setup.max_tick_age
    cause = f"tick:{tick.sequence}@{tick.occurred_at.isoformat()}"
    lanes, outputs = [], []
    for lane in state.on_product(tick.product):
        seen = replace(lane, tick=tick)
        asked, signal = cycle.on_price(state, seen, tick.bid, cause, now) if is_fresh else (seen, None)
        lanes.append(asked)
        if signal is not None:
            outputs.append(signal)
    return state.with_lanes(*lanes), tuple(outputs)


def _on_candle(state: State, candle: Candle, now: datetime) -> Step:
    """Each lane sees the requests of the lanes before it, so that two strategies do not enter one product at once."""
    outputs = []
    for lane in state.on_product(candle.product):
        if lane.interval != candle.interval or not _is_next(lane, candle, now):
            continue
        folded, output = cycle.on_close(state, lane.fold(candle, state.setup.retained_candles), now)
        state = state.with_lanes(folded)
        outputs.append(output)
    return state, tuple(outputs)


def _is_next(lane: AnyLane, candle: Candle, now: datetime) -> bool:
    """Whether a candle continues the lane.

    Corrections and repeats would rewrite what was already decided on; a candle that begins in the future comes
    from another run's clock and would shut out all real ones.
    """
    if candle.origin is CandleOrigin.CORRECTION or candle.start > now:
        return False
    return not lane.candles or candle.start > lane.candles[-1].start


def _on_account(state: State, account: AccountSnapshot) -> State:
    """Positions that ended take their peak and their exit request with them."""
    known = replace(state, account=account)
    flat = (
        replace(lane, peak=None, exit_asked_at=None)
        for lane in known.lanes.values()
        if (lane.peak is not None or lane.exit_asked_at is not None) and known.position(lane.product) is None
    )
    return known.with_lanes(*flat)


def _on_trading_state(state: State, trading: TradingState) -> State:
    latch = state.latch
    if trading.status is TradingStatus.HALTED:
        latch = Latch.ACKNOWLEDGED if latch is Latch.KILLED else latch
    elif latch is Latch.ACKNOWLEDGED:
        latch = Latch.OPEN
    return replace(state, trading=trading, latch=latch)


def _on_parameters(state: State, message: Parameters) -> Step:
    current = state.parameters.get(message.strategy)
    if current is None:
        return state, ()
    try:
        adopted = adopt(current, message.values)
    except ParametersOutOfBounds as refused:
        refusal = ParametersRefused(strategy=message.strategy, version=message.version, reason=str(refused))
        return state, (refusal,)
    lanes = (lane.with_parameters(adopted) for lane in state.lanes.values() if lane.strategy.name == message.strategy)
    known = replace(state, parameters={**state.parameters, message.strategy: adopted}).with_lanes(*lanes)
    return known, (ParametersAdopted(strategy=message.strategy, version=version_of(adopted)),)


def _on_universe(state: State, universe: Universe) -> State:
    """Lanes of products that left stay for their exits; products that came get one."""
    tradable = {spec.product for spec in universe.products if state.setup.has(spec.product)}
    changed: list[AnyLane] = []
    for given in state.setup.assignments:
        if given.products is not None:
            continue
        held = {product for strategy, product in state.lanes if strategy == given.strategy}
        changed += (_lane(state, given, product) for product in sorted(tradable - held))
        changed += (
            replace(state.lanes[given.strategy, product], is_tradable=product in tradable) for product in sorted(held)
        )
    return state.with_lanes(*changed)


def _on_pulse(state: State, now: datetime) -> Step:
    """Explain a market that is silent: no candle would ever ask."""
    return state, tuple(_silences(state.lanes.values(), state, now))


def _silences(lanes: Iterable[AnyLane], state: State, now: datetime) -> Iterable[Output]:
    for lane in lanes:
        obstacle = cycle.silence(state, lane, now)
        if obstacle is not None:
            yield cycle.no_trade(lane, *obstacle, now)


def _lane(state: State, given: Assignment, product: str) -> AnyLane:
    strategy, parameters = state.strategies[given.strategy], state.parameters[given.strategy]
    return Lane(
        strategy=strategy,
        product=product,
        interval=given.interval,
        parameters=parameters,
        version=version_of(parameters),
        indicators=strategy.begin(parameters),
        adopts_positions=given.adopts_positions,
    )
