"""Balances and holds; money moves between owners and is never made."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from gpt_trader.exchange_sim.domain.orders import MARKET, ZERO

FEES = "fees"


@dataclass(slots=True)
class Balance:
    """`total` includes what is held."""

    total: Decimal = ZERO
    held: Decimal = ZERO

    @property
    def available(self) -> Decimal:
        """What a further order may use."""
        return self.total - self.held


class CashKind(StrEnum):
    """Why futures cash moved."""

    TO_FUTURES = "transfer_to_futures"
    SWEEP = "sweep"
    PROFIT = "realized_profit"
    FEE = "fee"
    FUNDING = "funding"
    SETTLEMENT = "daily_settlement"
    EXPIRY = "expiry"
    DEFICIT = "deficit_covered"


@dataclass(frozen=True, slots=True, kw_only=True)
class CashMoved:
    """One change of an owner's futures cash; the balances of these events are gapless."""

    owner: str
    kind: CashKind
    amount: Decimal
    balance: Decimal
    product_id: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """Money that an owner brought in or took out; `number` counts all transfers.

    `kind` is what the list of transactions calls it; empty = a deposit or withdrawal.
    """

    number: int
    owner: str
    currency: str
    amount: Decimal
    kind: str
    at: datetime


def futures_wallet(owner: str) -> str:
    """Name the ledger owner that keeps somebody's futures cash."""
    return f"{owner}:cfm"


class Ledger:
    """Who owns what, fees included; the sum per currency changes only by deposits."""

    def __init__(self) -> None:
        self._balances: defaultdict[tuple[str, str], Balance] = defaultdict(Balance)
        self.transfers: list[Transfer] = []

    def balance(self, owner: str, currency: str) -> Balance:
        """Return the current balance, empty for a currency never held."""
        return self._balances[owner, currency]

    def currencies(self, owner: str) -> list[str]:
        """Currencies the owner has an account in, in order of opening."""
        return [currency for who, currency in self._balances if who == owner]

    def total(self, currency: str) -> Decimal:
        """Sum over all owners: constant between deposits."""
        return sum((b.total for (_, c), b in self._balances.items() if c == currency), ZERO)

    def deposit(self, owner: str, currency: str, amount: Decimal) -> None:
        """Bring money in, or take it out when negative."""
        self._balances[owner, currency].total += amount

    def transfer(self, owner: str, currency: str, amount: Decimal, at: datetime, kind: str = "") -> None:
        """Deposit, and let the owner's list of transactions tell of it."""
        self.deposit(owner, currency, amount)
        number = len(self.transfers) + 1
        self.transfers.append(Transfer(number=number, owner=owner, currency=currency, amount=amount, kind=kind, at=at))

    def hold(self, owner: str, currency: str, amount: Decimal) -> None:
        """Reserve for an order, or release when negative."""
        if owner != MARKET:
            self._balances[owner, currency].held += amount

    def move(self, source: str, target: str, currency: str, amount: Decimal) -> None:
        """Pay from one owner to another."""
        self._balances[source, currency].total -= amount
        self._balances[target, currency].total += amount
