"""What the domain remembers between inputs: immutable, and built from inputs alone."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, Generic, TypeVar

from gpt_trader.contracts.account import AccountSnapshot, Position, TradingState
from gpt_trader.contracts.market import Candle, Tick, interval_length
from gpt_trader.contracts.signals import NoTrade, Signal
from gpt_trader.strategy.domain.parameters import P, version_of
from gpt_trader.strategy.domain.setup import Setup, Strategies
from gpt_trader.strategy.domain.strategy import Holding, Strategy

I_any = TypeVar("I_any")


class Latch(StrEnum):
    """A kill holds until the gate said HALTED (or an operator reset) and then something better."""

    OPEN = "open"
    KILLED = "killed"
    ACKNOWLEDGED = "acknowledged"


@dataclass(frozen=True, slots=True, kw_only=True)
class ParametersAdopted:
    """A strategy decides with other parameters from now on."""

    strategy: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ParametersRefused:
    """Parameters were not adopted; the ones in force stay."""

    strategy: str
    version: str
    reason: str


Output = Signal | NoTrade | ParametersAdopted | ParametersRefused


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane(Generic[P, I_any]):
    """One strategy on one product."""

    strategy: Strategy[P, I_any]
    product: str
    interval: str
    parameters: P
    version: str
    indicators: I_any
    adopts_positions: bool
    is_tradable: bool = True
    candles: tuple[Candle, ...] = ()
    tick: Tick | None = None
    peak: Decimal | None = None
    entry_asked_at: datetime | None = None
    exit_asked_at: datetime | None = None

    @property
    def closed_at(self) -> datetime | None:
        """When the newest candle ended; None before the first."""
        return self.candles[-1].start + self.length if self.candles else None

    @property
    def length(self) -> timedelta:
        """Duration of one candle."""
        return interval_length(self.interval)

    def is_stale(self, now: datetime) -> bool:
        """Whether the newest candle ended more than 1.5 intervals ago (90 s for 1m)."""
        closed_at = self.closed_at
        return closed_at is None or now - closed_at > self.length * 3 / 2

    def fold(self, candle: Candle, retained: int) -> "Lane[P, I_any]":
        """Take in one candle that is newer than all before it."""
        return replace(
            self,
            candles=(*self.candles[-retained + 1 :], candle),
            indicators=self.strategy.observe(self.indicators, candle),
        )

    def with_parameters(self, parameters: P) -> "Lane[P, I_any]":
        """Decide with these from now on; indicators are folded anew over the candles at hand."""
        indicators = self.strategy.begin(parameters)
        for candle in self.candles:
            indicators = self.strategy.observe(indicators, candle)
        return replace(self, parameters=parameters, version=version_of(parameters), indicators=indicators)

    def holding(self, position: Position) -> Holding:
        """Describe a position of this lane; a peak nobody watched is read off the candles since it was opened."""
        peak = self.peak
        if peak is None:
            since = position.opened_at
            seen = (candle.high for candle in self.candles if since is not None and candle.start >= since)
            peak = max((position.average_entry_price, *seen))
        return Holding(
            quantity=position.quantity,
            entry_price=position.average_entry_price,
            stop_price=position.stop_price,
            target_price=position.target_price,
            opened_at=position.opened_at,
            peak=peak,
        )


AnyLane = Lane[Any, Any]
LaneKey = tuple[str, str]
"""Strategy and product."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Everything a decision depends on besides the input and the time."""

    setup: Setup
    strategies: Strategies
    parameters: Mapping[str, Any]
    lanes: Mapping[LaneKey, AnyLane] = field(default_factory=dict)
    account: AccountSnapshot | None = None
    trading: TradingState | None = None
    latch: Latch = Latch.OPEN

    def on_product(self, product: str) -> tuple[AnyLane, ...]:
        """Lanes of one product, in the order in which they were set up."""
        return tuple(lane for lane in self.lanes.values() if lane.product == product)

    def series(self) -> frozenset[tuple[str, str]]:
        """Return the candles that are needed, as interval and product."""
        return frozenset((lane.interval, lane.product) for lane in self.lanes.values())

    def position(self, product: str) -> Position | None:
        """Return what is held of a product; None if nothing is."""
        if self.account is None:
            return None
        held = (one for one in self.account.positions if one.product == product and one.quantity > 0)
        return next(held, None)

    def is_ours(self, lane: AnyLane, position: Position) -> bool:
        """Whether this lane answers for the exit of a position."""
        if position.strategy == lane.strategy.name:
            return True
        return lane.adopts_positions and (position.strategy, lane.product) not in self.lanes

    def with_lanes(self, *lanes: AnyLane) -> "State":
        """Return the state with these lanes added or replaced."""
        changed = {(lane.strategy.name, lane.product): lane for lane in lanes}
        return replace(self, lanes={**self.lanes, **changed})
