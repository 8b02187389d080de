"""What the futures venue does by itself: funding, settlement, sweeps, margin windows, expiry, liquidation."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from gpt_trader.exchange_sim.domain.accounts import CashKind
from gpt_trader.exchange_sim.domain.desk import FuturesDesk
from gpt_trader.exchange_sim.domain.listing import Listing
from gpt_trader.exchange_sim.domain.margin import Exposure
from gpt_trader.exchange_sim.domain.orders import CUSTOMER, Order, OrderKind, OrderRequest, Side, Status, Terms
from gpt_trader.exchange_sim.domain.sessions import (
    MarginWindow,
    margin_window_at,
    next_funding,
    next_settlement,
    session_at,
    sweep_time,
)
from gpt_trader.exchange_sim.domain.sweeps import Sweep, SweepStatus


class Floor(Protocol):
    """How the calendar acts on orders."""

    def finish(self, order: Order, listing: Listing, status: Status, at: datetime, message: str = "") -> None:
        """End an order."""
        ...

    def liquidate(self, request: OrderRequest, at: datetime) -> None:
        """Place the venue's own order for an account; margin is not asked for."""
        ...


class FuturesDay:
    """Steps through everything that is due; idle for a venue without futures."""

    def __init__(self, desk: FuturesDesk, listings: Mapping[str, Listing], opened_at: datetime) -> None:
        self.sweep: Sweep | None = None
        self.forced_window: MarginWindow | None = None
        self._forced_until: datetime | None = None
        self._desk = desk
        self._listings = {name: one for name, one in listings.items() if one.product.contract is not None}
        self._expired: dict[str, None] = {}
        self._funding_at = next_funding(opened_at)
        self._settlement_at = next_settlement(opened_at)
        self._session = session_at(opened_at)
        desk.window, self.window_ends = margin_window_at(opened_at)

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to do, ever."""
        return not self._listings

    def next_at(self) -> datetime | None:
        """Say when the next thing is due."""
        if self.is_idle:
            return None
        due = [self._funding_at, self._settlement_at, self.window_ends, self._session_ends()]
        due += [at for name, at in self._expiries() if name not in self._expired]
        if self.sweep is not None:
            due.append(self.sweep.executes_at)
        return min(due)

    def step(self, at: datetime, floor: Floor) -> None:
        """Do everything that is due, money before restrictions."""
        self._move_money(at, floor)
        if at >= self.window_ends:
            self._open_window(at)
        if at >= self._session_ends():
            self._change_session(at)
        self.enforce(at, floor)

    def _move_money(self, at: datetime, floor: Floor) -> None:
        if at >= self._funding_at:
            self._desk.pay_funding(at)
            self._funding_at = next_funding(at)
        for name, expiry in self._expiries():
            if at >= expiry and name not in self._expired:
                self._expire(self._listings[name], at, floor)
        if at >= self._settlement_at:
            for listing in self._listings.values():
                listing.settlement = listing.last_or_start()
            self._desk.settle_day(at)
            self._settlement_at = next_settlement(at)
        if self.sweep is not None and at >= self.sweep.executes_at:
            self._execute(self.sweep, at)

    def force_window(self, window: MarginWindow | None, at: datetime, ends_at: datetime | None = None) -> None:
        """Keep one margin window whatever the clock says, for ever or until a time; None returns to the clock."""
        self.forced_window, self._forced_until = window, ends_at
        self._open_window(at)

    def request_sweep(self, sweep_id: str, amount: Decimal | None, now: datetime) -> str | None:
        """Plan a sweep for the next business day; the answer is why not."""
        if self.sweep is not None:
            return "a sweep is pending already"
        if amount is not None and not 0 < amount <= self._desk.account(CUSTOMER).sweepable:
            return f"usd_amount: {amount} is not between zero and what margin does not need"
        self.sweep = Sweep(sweep_id=sweep_id, amount=amount, begins_at=sweep_time(now))
        return None

    def cancel_sweep(self, now: datetime) -> bool:
        """Take back the sweep that did not begin."""
        if self.sweep is None or self.sweep.status(now) is not SweepStatus.PENDING:
            return False
        self.sweep = None
        return True

    def enforce(self, at: datetime, floor: Floor) -> None:
        """Liquidate every account below maintenance margin, and cover what is lost beyond its cash."""
        for owner in self._desk.holders():
            if self._desk.is_liquidating(owner):
                self._liquidate(owner, at, floor)

    def _liquidate(self, owner: str, at: datetime, floor: Floor) -> None:
        if not session_at(at).is_open:
            return
        for order in self._desk.working(owner):
            floor.finish(order, self._listings[order.product_id], Status.CANCELLED, at, "Account in liquidation")
        for exposure in sorted(self._desk.account(owner).exposures, key=lambda one: -one.notional):
            if self._desk.is_liquidating(owner):
                floor.liquidate(_closing(owner, exposure), at)
        account = self._desk.account(owner)
        if account.cash < 0 and not account.exposures:
            self._desk.fund(owner, CashKind.DEFICIT, at)

    def _execute(self, sweep: Sweep, at: datetime) -> None:
        self.sweep = None
        most = self._desk.account(CUSTOMER).sweepable
        self._desk.pay(CUSTOMER, CashKind.SWEEP, -(most if sweep.amount is None else min(sweep.amount, most)), at)

    def _open_window(self, at: datetime) -> None:
        if self._forced_until is not None and at >= self._forced_until:
            self.forced_window = self._forced_until = None
        window, self.window_ends = margin_window_at(at)
        self.window_ends = self._forced_until or self.window_ends
        self._desk.window = window if self.forced_window is None else self.forced_window
        self._desk.rehold_all()

    def _session_ends(self) -> datetime:
        return self._session.closes_at if self._session.is_open else self._session.opens_at

    def _change_session(self, at: datetime) -> None:
        self._session = session_at(at)
        if not self._session.is_open:
            for listing in self._listings.values():
                listing.withdraw()

    def _expiries(self) -> list[tuple[str, datetime]]:
        contracts = ((name, one.product.contract) for name, one in self._listings.items())
        return [(name, contract.expiry) for name, contract in contracts if contract is not None]

    def _expire(self, listing: Listing, at: datetime, floor: Floor) -> None:
        product_id = listing.product.product_id
        self._expired[product_id] = None
        for order in self._desk.working_in(product_id):
            floor.finish(order, listing, Status.EXPIRED, at, "Contract expired")
        for owner, _ in self._desk.positions_in(product_id):
            self._desk.close_out(owner, product_id, listing.last_or_start(), at)
        listing.withdraw()
        listing.product = listing.product.with_flags({"is_disabled": True, "trading_disabled": True})


def _closing(owner: str, exposure: Exposure) -> OrderRequest:
    return OrderRequest(
        client_order_id="",
        product_id=exposure.product_id,
        side=Side.SELL if exposure.position.is_long else Side.BUY,
        terms=Terms(kind=OrderKind.MARKET_IOC, base_size=abs(exposure.position.contracts)),
        owner=owner,
        is_closing=True,
        is_liquidation=True,
    )
