"""What positions require, and how far an account is from being liquidated."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from gpt_trader.exchange_sim.domain.contracts import MarginRates
from gpt_trader.exchange_sim.domain.orders import ZERO
from gpt_trader.exchange_sim.domain.positions import Position
from gpt_trader.exchange_sim.domain.sessions import MarginWindow

MAINTENANCE_SHARE = Decimal("0.9")
"""Maintenance margin as a share of initial margin."""

_FULL_BUFFER = Decimal(1000)
_WARNING = Decimal(25)
_DANGER = Decimal(10)
_CENT = Decimal("0.01")


class MarginSetting(StrEnum):
    """Whether the account takes the lower intraday rates."""

    STANDARD = "INTRADAY_MARGIN_SETTING_STANDARD"
    INTRADAY = "INTRADAY_MARGIN_SETTING_INTRADAY"


class MarginLevel(StrEnum):
    """Health of the account, by its buffer over maintenance margin."""

    BASE = "MARGIN_LEVEL_TYPE_BASE"
    WARNING = "MARGIN_LEVEL_TYPE_WARNING"
    DANGER = "MARGIN_LEVEL_TYPE_DANGER"
    LIQUIDATION = "MARGIN_LEVEL_TYPE_LIQUIDATION"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """An open position with its price and its rates."""

    product_id: str
    expiry: datetime
    position: Position
    mark: Decimal
    intraday: MarginRates
    overnight: MarginRates

    @property
    def notional(self) -> Decimal:
        """Absolute value at the mark."""
        return self.position.notional(self.mark)

    def rate(self, *, is_intraday: bool) -> Decimal:
        """Return the initial margin rate of its direction."""
        return (self.intraday if is_intraday else self.overnight).of(is_long=self.position.is_long)

    def initial(self, *, is_intraday: bool) -> Decimal:
        """Return the initial margin."""
        return self.notional * self.rate(is_intraday=is_intraday)

    def maintenance(self, *, is_intraday: bool) -> Decimal:
        """Return the maintenance margin."""
        return self.initial(is_intraday=is_intraday) * MAINTENANCE_SHARE


@dataclass(frozen=True, slots=True, kw_only=True)
class MarginMeasure:
    """One window's view of the account; `held` is margin of open orders."""

    window: MarginWindow
    equity: Decimal
    initial: Decimal
    held: Decimal

    @property
    def maintenance(self) -> Decimal:
        """Below this equity positions are liquidated."""
        return self.initial * MAINTENANCE_SHARE

    @property
    def available(self) -> Decimal:
        """Equity for further orders; negative is a margin call."""
        return self.equity - self.initial - self.held

    @property
    def buffer(self) -> Decimal:
        """Equity above maintenance margin."""
        return self.equity - self.maintenance

    @property
    def buffer_percentage(self) -> Decimal:
        """Buffer in per cent of maintenance margin, 1000 when nothing is required."""
        if not self.maintenance:
            return _FULL_BUFFER
        return min((self.buffer * 100 / self.maintenance).quantize(_CENT), _FULL_BUFFER)

    @property
    def level(self) -> MarginLevel:
        """Health of the account."""
        if not self.maintenance:
            return MarginLevel.BASE
        if self.buffer < 0:
            return MarginLevel.LIQUIDATION
        if self.buffer_percentage < _DANGER:
            return MarginLevel.DANGER
        return MarginLevel.WARNING if self.buffer_percentage < _WARNING else MarginLevel.BASE


@dataclass(frozen=True, slots=True, kw_only=True)
class FuturesAccount:
    """Everything a balance summary tells."""

    spot_total: Decimal
    spot_available: Decimal
    cash: Decimal
    held: Decimal
    unrealized: Decimal
    realized_today: Decimal
    exposures: tuple[Exposure, ...]
    window: MarginWindow
    is_intraday: bool

    @property
    def equity(self) -> Decimal:
        """Cash and open profit."""
        return self.cash + self.unrealized

    @property
    def current(self) -> MarginMeasure:
        """By the rates that apply now."""
        return self._measure(self.window, is_intraday=self.is_intraday)

    @property
    def intraday(self) -> MarginMeasure:
        """By the intraday rates."""
        return self._measure(MarginWindow.INTRADAY, is_intraday=True)

    @property
    def overnight(self) -> MarginMeasure:
        """By the overnight rates."""
        return self._measure(MarginWindow.OVERNIGHT, is_intraday=False)

    @property
    def sweepable(self) -> Decimal:
        """Cash that may go back to spot; open profit is not cash."""
        return max(min(self.cash, self.current.available), ZERO)

    def buying_power(self, measure: MarginMeasure) -> Decimal:
        """Margin available for orders, spot dollars included."""
        return max(measure.available + self.spot_available, ZERO)

    def liquidation_price(self, exposure: Exposure) -> Decimal:
        """Price of one product at which equity meets maintenance margin, others unchanged; zero if none."""
        units = exposure.position.contracts * exposure.position.size
        share = exposure.rate(is_intraday=self.is_intraday) * MAINTENANCE_SHARE
        elsewhere = self.current.maintenance - exposure.notional * share
        slope = units - abs(units) * share
        return max((elsewhere - self.equity + units * exposure.mark) / slope, ZERO)

    def _measure(self, window: MarginWindow, *, is_intraday: bool) -> MarginMeasure:
        return MarginMeasure(
            window=window, equity=self.equity, initial=required(self.exposures, is_intraday=is_intraday), held=self.held
        )


def required(exposures: Iterable[Exposure], *, is_intraday: bool) -> Decimal:
    """Add up the initial margin of all positions."""
    return sum((one.initial(is_intraday=is_intraday) for one in exposures), ZERO)
