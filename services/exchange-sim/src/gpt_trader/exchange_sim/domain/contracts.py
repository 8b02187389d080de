"""US futures contracts: what one contract stands for, when it expires and what margin it takes."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal

from gpt_trader.exchange_sim.domain.market_time import from_london
from gpt_trader.exchange_sim.domain.sessions import session_at

FUTURE_ID = re.compile(r"([A-Z]{2,4})-(\d{2})([A-Z]{3})(\d{2})-CDE")
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_EXPIRY_HOUR = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class MarginRates:
    """Initial margin as a fraction of notional."""

    long: Decimal
    short: Decimal

    def of(self, *, is_long: bool) -> Decimal:
        """Rate of a direction."""
        return self.long if is_long else self.short


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """Terms of one listed contract; `size` is units of the root per contract, funding is per hour."""

    code: str
    root: str
    size: Decimal
    price_increment: Decimal
    expiry: datetime
    is_perpetual_style: bool
    intraday: MarginRates = MarginRates(long=Decimal("0.1"), short=Decimal("0.1"))
    overnight: MarginRates = MarginRates(long=Decimal("0.2"), short=Decimal("0.22"))
    funding_rate: Decimal = Decimal("0.00001")

    @property
    def underlying(self) -> str:
        """Spot product the contract follows."""
        return f"{self.root}-USD"

    def is_expired(self, now: datetime) -> bool:
        """Nothing can be traded or held any more."""
        return now >= self.expiry

    def is_open(self, now: datetime) -> bool:
        """Orders are taken now."""
        return not self.is_expired(now) and session_at(now).is_open


_CATALOGUE = {
    row.split()[0]: row.split()[1:]
    for row in (
        "BIP BTC 0.01 5 perpetual-style",
        "ETP ETH 0.1 0.5 perpetual-style",
        "SLP SOL 5 0.01 perpetual-style",
        "XPP XRP 500 0.0001 perpetual-style",
        "BIT BTC 0.01 5 dated",
        "BTI BTC 1 5 dated",
        "ET ETH 0.1 0.5 dated",
        "ETI ETH 10 0.5 dated",
        "SOL SOL 5 0.01 dated",
        "XRP XRP 500 0.0001 dated",
    )
}
CODES = tuple(_CATALOGUE)


def contract_of(product_id: str) -> Contract:
    """Read an id such as BIT-27DEC26-CDE; a ValueError says what is wrong with it."""
    found = FUTURE_ID.fullmatch(product_id)
    if found is None:
        raise ValueError(f"{product_id!r} is not a futures product id such as BIP-20DEC30-CDE")
    code, day, month, year = found.groups()
    if code not in _CATALOGUE:
        raise ValueError(f"{product_id!r}: contract code {code!r} is none of {', '.join(CODES)}")
    if month not in _MONTHS:
        raise ValueError(f"{product_id!r}: {month!r} is not a month")
    root, size, tick, style = _CATALOGUE[code]
    return Contract(
        code=code,
        root=root,
        size=Decimal(size),
        price_increment=Decimal(tick),
        expiry=from_london(date(2000 + int(year), _MONTHS.index(month) + 1, int(day)), _EXPIRY_HOUR).astimezone(UTC),
        is_perpetual_style=style == "perpetual-style",
    )
