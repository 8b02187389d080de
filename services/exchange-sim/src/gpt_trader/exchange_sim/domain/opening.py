"""Listings at the moment the market opens."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random

from gpt_trader.exchange_sim.domain.candles import CandleSeries, GeneratedPast, no_past
from gpt_trader.exchange_sim.domain.contracts import contract_of
from gpt_trader.exchange_sim.domain.generated import GeneratedMarket
from gpt_trader.exchange_sim.domain.listing import Listing
from gpt_trader.exchange_sim.domain.products import future_of, product_of
from gpt_trader.exchange_sim.domain.replay import Recording, ReplayMarket
from gpt_trader.exchange_sim.domain.tracking import TrackingMarket


def generated_listings(
    product_ids: Sequence[str], seed: int, start: datetime, interval: timedelta, rng_of: Callable[[str], Random]
) -> list[Listing]:
    """Open generated markets; `interval` is the mean market time between prints of one product."""
    begin = int(start.timestamp())
    listings = []
    for product_id in product_ids:
        product = product_of(product_id)
        listings.append(
            Listing(
                product=product,
                stream=GeneratedMarket(product, rng_of(product_id), start, interval),
                candles=CandleSeries(begin, GeneratedPast(product, seed, begin)),
            )
        )
    return listings


def replayed_listings(
    recordings: Sequence[Recording], start: datetime, shift: timedelta, prints_per_second: Decimal
) -> list[Listing]:
    """Open recorded markets; bars before the start become candles of the past.

    `prints_per_second` counts market seconds and one product.
    """
    begin = int((start - shift).timestamp())
    offset = shift // timedelta(seconds=1)
    listings = []
    for recording in recordings:
        candles = CandleSeries(int(start.timestamp()), no_past)
        for bar in recording.trades.values():
            if bar.start < begin:
                candles.insert(replace(bar, start=bar.start + offset - (bar.start + offset) % 60))
        prints = min(max(int(recording.length * prints_per_second), 4), 600)
        listings.append(
            Listing(
                product=product_of(recording.product_id, recording.first_price()),
                stream=ReplayMarket(recording, begin, shift, prints),
                candles=candles,
            )
        )
    return listings


def future_listings(
    product_ids: Sequence[str],
    spot: Sequence[Listing],
    seed: int,
    start: datetime,
    interval: timedelta,
    rng_of: Callable[[str], Random],
) -> list[Listing]:
    """Open futures on listed spot products; a ValueError says which one cannot be opened."""
    begin = int(start.timestamp())
    by_id = {listing.product.product_id: listing for listing in spot}
    listings = []
    for product_id in product_ids:
        contract = contract_of(product_id)
        underlying = by_id.get(contract.underlying)
        if underlying is None:
            raise ValueError(f"{product_id} follows {contract.underlying}, which is not listed")
        if contract.is_expired(start):
            raise ValueError(f"{product_id} expired at {contract.expiry.isoformat()}")
        product = future_of(product_id, underlying.product)
        listings.append(
            Listing(
                product=product,
                stream=TrackingMarket(contract, underlying, rng_of(product_id), start, interval),
                candles=CandleSeries(begin, GeneratedPast(product, seed, begin)),
            )
        )
    return listings
