"""What can be traded: increments, size limits and the flags that restrict trading."""

import re
from dataclasses import dataclass, replace
from decimal import Decimal

from gpt_trader.exchange_sim.domain.contracts import Contract, contract_of

FUTURES_CURRENCY = "USD"
_CENT = Decimal("0.01")
_ONE = Decimal(1)
PRODUCT_ID = re.compile(r"[A-Z0-9]{1,12}-[A-Z]{3,5}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Flags:
    """Venue-side restrictions; all false means normal trading."""

    is_disabled: bool = False
    trading_disabled: bool = False
    view_only: bool = False
    cancel_only: bool = False
    limit_only: bool = False
    post_only: bool = False
    auction_mode: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """What a book trades; sizes are base currency, or contracts for a future; quote sizes are quote currency."""

    product_id: str
    base_name: str
    base_increment: Decimal
    price_increment: Decimal
    base_max_size: Decimal
    start_price: Decimal
    slippage_limit: Decimal = Decimal("0.03")
    quote_min_size: Decimal = Decimal(1)
    quote_max_size: Decimal = Decimal(150000000)
    flags: Flags = Flags()
    contract: Contract | None = None

    @property
    def base(self) -> str:
        """Currency bought and sold; a future's contract code."""
        return self.product_id.partition("-")[0]

    @property
    def quote(self) -> str:
        """Currency paid in."""
        return self.product_id.partition("-")[2] if self.contract is None else FUTURES_CURRENCY

    @property
    def quote_increment(self) -> Decimal:
        """Precision of quote amounts; futures prices move in larger steps than cents."""
        return self.price_increment if self.contract is None else _CENT

    @property
    def multiplier(self) -> Decimal:
        """Units of the underlying per unit of size."""
        return _ONE if self.contract is None else self.contract.size

    @property
    def base_min_size(self) -> Decimal:
        """The venue's minimum is one increment; the notional minimum is what binds."""
        return self.base_increment

    @property
    def is_tradable(self) -> bool:
        """No flag stops every kind of order."""
        flags = self.flags
        return not (flags.is_disabled or flags.trading_disabled or flags.view_only or flags.auction_mode)

    def with_flags(self, changes: dict[str, bool]) -> "Product":
        """Change some restrictions and keep the others."""
        return replace(self, flags=replace(self.flags, **changes))


def _spec(row: str) -> tuple[str, Product]:
    name, product_id, base_increment, price_increment, base_max, price = row.split()
    product = Product(
        product_id=product_id,
        base_name=name,
        base_increment=Decimal(base_increment),
        price_increment=Decimal(price_increment),
        base_max_size=Decimal(base_max),
        start_price=Decimal(price),
        slippage_limit=Decimal("0.02") if name in {"Bitcoin", "Ethereum"} else Decimal("0.03"),
    )
    return product_id, product


_CATALOGUE = dict(
    _spec(row)
    for row in (
        "Bitcoin BTC-USD 0.00000001 0.01 3400 64000",
        "Ethereum ETH-USD 0.00000001 0.01 38000 3100",
        "Solana SOL-USD 0.00000001 0.01 340000 150",
        "Litecoin LTC-USD 0.00000001 0.01 180000 85",
        "XRP XRP-USD 0.000001 0.0001 14000000 0.62",
        "Dogecoin DOGE-USD 0.1 0.00001 75000000 0.16",
        "BCH BCH-USD 0.00000001 0.01 31000 480",
        "Cardano ADA-USD 0.00000001 0.0001 20000000 0.45",
        "Avalanche AVAX-USD 0.00000001 0.01 380000 32",
        "Chainlink LINK-USD 0.01 0.001 1100000 14",
        "Bitcoin BTC-EUR 0.00000001 0.01 1300 59000",
        "Bitcoin BTC-USDC 0.00000001 0.01 3400 64000",
    )
)


def product_of(product_id: str, start_price: Decimal | None = None) -> Product:
    """Take the catalogue's limits, or plausible ones for a product only a replay knows."""
    known = _CATALOGUE.get(product_id)
    if known is None:
        known = Product(
            product_id=product_id,
            base_name=product_id.partition("-")[0],
            base_increment=Decimal("0.00000001"),
            price_increment=Decimal("0.01"),
            base_max_size=Decimal(1000000),
            start_price=Decimal(100),
        )
    return known if start_price is None else replace(known, start_price=start_price)


def future_of(product_id: str, spot: Product) -> Product:
    """List a contract on a spot product; a ValueError says what is wrong with the id."""
    contract = contract_of(product_id)
    return Product(
        product_id=product_id,
        base_name=spot.base_name,
        base_increment=_ONE,
        price_increment=contract.price_increment,
        base_max_size=Decimal(100000),
        start_price=spot.start_price,
        slippage_limit=spot.slippage_limit,
        quote_min_size=Decimal(0),
        contract=contract,
    )
