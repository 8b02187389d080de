"""Listings at the moment the market opens."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from random import Random

from gpt_trader.exchange_sim.domain.candles import CandleSeries, GeneratedPast
from gpt_trader.exchange_sim.domain.generated import GeneratedMarket
from gpt_trader.exchange_sim.domain.listing import Listing
from gpt_trader.exchange_sim.domain.products import product_of


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
