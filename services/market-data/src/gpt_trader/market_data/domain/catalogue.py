"""The tradable set: what the venue lists, what we trust (tiers), and when that became a different set."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from gpt_trader.contracts.market import FutureTerms, ProductSpec, Tier, Universe

_ONE = Decimal(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """One product as the venue lists it; `wire_id` is the name its market channels answer with (USDC aliases).

    Sizes and increments are in base currency, also those of futures, which the venue counts in contracts.
    """

    product: str
    wire_id: str
    base_currency: str
    quote_currency: str
    base_increment: Decimal
    price_increment: Decimal
    base_min_size: Decimal
    base_max_size: Decimal
    quote_min_size: Decimal
    is_disabled: bool
    is_cancel_only: bool
    is_limit_only: bool
    is_post_only: bool
    is_auction: bool
    volume_24h_notional: Decimal
    future: FutureTerms | None = None

    @property
    def unit(self) -> Decimal:
        """Base currency per unit that the venue's market channels count: the contract size of a future, else one."""
        return _ONE if self.future is None else self.future.contract_size

    def spec(self, tier: Tier) -> ProductSpec:
        """State its trading rules together with our tier."""
        return ProductSpec(
            product=self.product,
            base_currency=self.base_currency,
            quote_currency=self.quote_currency,
            kind="spot" if self.future is None else "future",
            base_increment=self.base_increment,
            price_increment=self.price_increment,
            base_min_size=self.base_min_size,
            base_max_size=self.base_max_size,
            quote_min_size=self.quote_min_size,
            is_disabled=self.is_disabled,
            is_cancel_only=self.is_cancel_only,
            is_limit_only=self.is_limit_only,
            is_post_only=self.is_post_only,
            is_auction=self.is_auction,
            tier=tier,
            volume_24h_notional=self.volume_24h_notional,
            future=self.future,
        )


def universe_of(
    listings: Iterable[Listing], tiers: Mapping[str, Tier], previous: Universe | None, now: datetime
) -> Universe:
    """Join listings and tiers; the version rises only when a rule, flag or tier changed, not with the volume."""
    specs = tuple(sorted((listing.spec(tiers[listing.product]) for listing in listings), key=lambda s: s.product))
    if previous is None:
        return Universe(version=1, products=specs, published_at=now)
    is_same = _rules(specs) == _rules(previous.products)
    return Universe(version=previous.version + (not is_same), products=specs, published_at=now)


def shard_of(products: Iterable[str], index: int, count: int) -> tuple[str, ...]:
    """Return this replica's share: every product belongs to exactly one of `count` replicas."""
    return tuple(sorted(products))[index::count]


def _rules(specs: Iterable[ProductSpec]) -> tuple[ProductSpec, ...]:
    return tuple(spec.model_copy(update={"volume_24h_notional": Decimal(0)}) for spec in specs)
