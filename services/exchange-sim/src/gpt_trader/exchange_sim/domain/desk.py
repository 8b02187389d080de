"""Futures money: cash beside spot, margin instead of payment, positions that net."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal

from gpt_trader.exchange_sim.domain.accounts import FEES, CashKind, CashMoved, Ledger, futures_wallet
from gpt_trader.exchange_sim.domain.contracts import Contract
from gpt_trader.exchange_sim.domain.fees import Fees
from gpt_trader.exchange_sim.domain.listing import Listing
from gpt_trader.exchange_sim.domain.margin import Exposure, FuturesAccount, MarginLevel, MarginSetting
from gpt_trader.exchange_sim.domain.orders import CUSTOMER, MARKET, ZERO, Fill, Order, Side
from gpt_trader.exchange_sim.domain.positions import Position, money
from gpt_trader.exchange_sim.domain.products import FUTURES_CURRENCY, Product
from gpt_trader.exchange_sim.domain.sessions import MarginWindow

USD = FUTURES_CURRENCY
SPOT_KINDS = frozenset({CashKind.TO_FUTURES, CashKind.SWEEP, CashKind.DEFICIT})


class FuturesDesk:
    """Wallets, margin and positions of every owner; the market is everybody's counterparty."""

    def __init__(
        self, ledger: Ledger, listings: Mapping[str, Listing], fees: Fees, report: Callable[[CashMoved], None]
    ) -> None:
        self.fees = fees
        self.window = MarginWindow.OVERNIGHT
        self.setting = MarginSetting.STANDARD
        self._ledger = ledger
        self._listings = listings
        self._report = report
        self._positions: dict[tuple[str, str], Position] = {}
        self._realized: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
        self._working: dict[tuple[str, str], dict[str, Order]] = {}

    def position(self, owner: str, product_id: str) -> Position | None:
        """Return the open position, None when flat."""
        return self._positions.get((owner, product_id))

    def realized_today(self, owner: str, product_id: str) -> Decimal:
        """Profit paid by closing since the last daily settlement."""
        return self._realized[owner, product_id]

    def holders(self) -> list[str]:
        """Everybody with a position."""
        return list(dict.fromkeys(owner for owner, _ in self._positions))

    def positions_in(self, product_id: str) -> list[tuple[str, Position]]:
        """Every owner's position in a product."""
        return [(owner, one) for (owner, product), one in self._positions.items() if product == product_id]

    def working(self, owner: str) -> list[Order]:
        """Orders that may still fill, oldest first."""
        return [one for (who, _), orders in self._working.items() if who == owner for one in orders.values()]

    def working_in(self, product_id: str) -> list[Order]:
        """Everybody's orders in a product that may still fill."""
        return [
            one for (_, product), orders in self._working.items() if product == product_id for one in orders.values()
        ]

    def account(self, owner: str) -> FuturesAccount:
        """Sum everything up at the last prices."""
        exposures = tuple(
            self._exposure(product, one) for (who, product), one in self._positions.items() if who == owner
        )
        cash, spot = self._ledger.balance(futures_wallet(owner), USD), self._ledger.balance(owner, USD)
        return FuturesAccount(
            spot_total=spot.total,
            spot_available=spot.available,
            cash=cash.total,
            held=cash.held,
            unrealized=sum((one.position.unrealized(one.mark) for one in exposures), ZERO),
            realized_today=sum((profit for (who, _), profit in self._realized.items() if who == owner), ZERO),
            exposures=exposures,
            window=self.window,
            is_intraday=self._is_intraday(owner),
        )

    def required(self, order: Order, product: Product) -> Decimal:
        """Margin and fees of the part that opens a position, behind the owner's earlier orders."""
        return self._needs(order.owner, product, self._lined_up(order))[order.order_id]

    def can_hold(self, order: Order, product: Product) -> bool:
        """Whether margin, spot dollars included, covers the order; closing a position needs none."""
        required = self.required(order, product)
        account = self.account(order.owner)
        return not required or required <= account.current.available + account.spot_available

    def is_liquidating(self, owner: str) -> bool:
        """Whether the venue is taking positions away."""
        return self.account(owner).current.level is MarginLevel.LIQUIDATION

    def fund(self, owner: str, kind: CashKind, at: datetime) -> None:
        """Bring over the spot dollars that margin lacks."""
        account = self.account(owner)
        missing = min(-account.current.available, account.spot_available)
        if missing > 0:
            self.pay(owner, kind, money(missing), at)

    def rehold(self, order: Order, product: Product) -> None:
        """Bring the holds of all the owner's orders in a product to what they may still need."""
        working = self._lined_up(order)
        self._working[order.owner, order.product_id] = {one.order_id: one for one in working}
        needs = self._needs(order.owner, product, working)
        for one in [*working, order] if order.is_terminal else working:
            needed = needs.get(one.order_id, ZERO)
            self._ledger.hold(futures_wallet(order.owner), USD, needed - one.hold)
            one.hold = needed

    def choose(self, setting: MarginSetting) -> None:
        """Take or leave the customer's lower intraday rates."""
        self.setting = setting
        self.rehold_all()

    def rehold_all(self) -> None:
        """Follow a change of margin rates."""
        for (_, product_id), orders in list(self._working.items()):
            if orders:
                self.rehold(next(iter(orders.values())), self._listings[product_id].product)

    def book(self, order: Order, fill: Fill) -> None:
        """Net a fill into the owner's position and pay profit and fee."""
        at, product_id = fill.trade.at, order.product_id
        key = (order.owner, product_id)
        position = self._positions.setdefault(key, Position(size=order.contract_size or ZERO))
        profit = position.trade(order.signed * fill.trade.quantity, fill.trade.price)
        position.fees += fill.commission
        self._realized[key] += profit
        self.pay(order.owner, CashKind.PROFIT, profit, at, product_id)
        self.pay(order.owner, CashKind.FEE, -fill.commission, at, product_id)
        if not position.contracts:
            del self._positions[key]

    def close_out(self, owner: str, product_id: str, price: Decimal, at: datetime) -> None:
        """End a position at a price without a trade, as expiry does."""
        position = self._positions.pop((owner, product_id))
        self.pay(owner, CashKind.EXPIRY, position.settle(price), at, product_id)

    def settle_day(self, at: datetime) -> None:
        """Pay open profit in cash and begin the next trading day."""
        for (owner, product_id), position in self._positions.items():
            listing = self._listings[product_id]
            profit = position.settle(listing.last_or_start())
            self.pay(owner, CashKind.SETTLEMENT, profit, at, product_id)
        self._realized.clear()

    def pay_funding(self, at: datetime) -> None:
        """Let the longs of perpetual-style contracts pay the rate, or get it when negative."""
        for (owner, product_id), position in self._positions.items():
            listing = self._listings[product_id]
            contract = listing.product.contract
            if contract is not None and contract.is_perpetual_style:
                units = position.contracts * contract.size
                amount = money(-units * listing.last_or_start() * contract.funding_rate)
                self.pay(owner, CashKind.FUNDING, amount, at, product_id)

    def pay(self, owner: str, kind: CashKind, amount: Decimal, at: datetime, product_id: str = "") -> None:
        """Move cash into a futures wallet, or out when negative, and report it."""
        if not amount:
            return
        wallet = futures_wallet(owner)
        counterparty = {CashKind.FEE: FEES, **dict.fromkeys(SPOT_KINDS, owner)}.get(kind, MARKET)
        self._ledger.move(counterparty, wallet, USD, amount)
        balance = self._ledger.balance(wallet, USD).total
        self._report(CashMoved(owner=owner, kind=kind, amount=amount, balance=balance, product_id=product_id, at=at))

    def _is_intraday(self, owner: str) -> bool:
        has_chosen = owner == CUSTOMER and self.setting is MarginSetting.INTRADAY
        return has_chosen and self.window is MarginWindow.INTRADAY

    def _exposure(self, product_id: str, position: Position) -> Exposure:
        listing = self._listings[product_id]
        contract = terms_of(listing.product)
        return Exposure(
            product_id=product_id,
            expiry=contract.expiry,
            position=position,
            mark=listing.last_or_start(),
            intraday=contract.intraday,
            overnight=contract.overnight,
        )

    def _lined_up(self, order: Order) -> list[Order]:
        working = dict(self._working.get((order.owner, order.product_id), {}))
        working[order.order_id] = order
        return [one for one in working.values() if not one.is_terminal]

    def _needs(self, owner: str, product: Product, orders: list[Order]) -> dict[str, Decimal]:
        position = self._positions.get((owner, product.product_id))
        contracts = ZERO if position is None else position.contracts
        left = abs(contracts)
        needs = {}
        for order in sorted(orders, key=lambda one: not one.request.is_closing):
            closing = min(left, order.remaining) if order.signed * contracts < 0 else ZERO
            left -= closing
            needs[order.order_id] = self._cost(order, product, order.remaining - closing)
        return needs

    def _cost(self, order: Order, product: Product, contracts: Decimal) -> Decimal:
        contract = terms_of(product)
        mark = self._listings[product.product_id].last_or_start()
        value = contracts * contract.size * max(order.limit, order.terms.stop_price or ZERO, mark)
        rates = contract.intraday if self._is_intraday(order.owner) else contract.overnight
        margin = value * rates.of(is_long=order.side is Side.BUY)
        return money(margin + self.fees.commission(value, contracts, is_maker=False))


def terms_of(product: Product) -> Contract:
    """Return the contract of a product that is one; anything else is a bug of the caller."""
    if product.contract is None:
        raise ValueError(f"{product.product_id} is not a future")
    return product.contract
