from dataclasses import replace
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from gpt_trader.contracts.market import Tier
from gpt_trader.market_data.domain.catalogue import Listing, shard_of, universe_of
from tests.unit.market_data.market_builders import NOW

BTC = Listing(
    product="BTC-USD",
    wire_id="BTC-USD",
    base_currency="BTC",
    quote_currency="USD",
    base_increment=Decimal("0.00000001"),
    price_increment=Decimal("0.01"),
    base_min_size=Decimal("0.00000001"),
    base_max_size=Decimal(3400),
    quote_min_size=Decimal(1),
    is_disabled=False,
    is_cancel_only=False,
    is_limit_only=False,
    is_post_only=False,
    is_auction=False,
    volume_24h_notional=Decimal(10),
)
TIERS = {"BTC-USD": Tier.T1}


def test_the_version_rises_with_a_rule_flag_or_tier_and_not_with_the_volume() -> None:
    first = universe_of([BTC], TIERS, None, NOW)
    busier = universe_of([replace(BTC, volume_24h_notional=Decimal(99))], TIERS, first, NOW)
    halted = universe_of([replace(BTC, is_cancel_only=True)], TIERS, busier, NOW)
    demoted = universe_of([replace(BTC, is_cancel_only=True)], {"BTC-USD": Tier.T3}, halted, NOW)

    assert [u.version for u in (first, busier, halted, demoted)] == [1, 1, 2, 3]
    assert busier.products[0].volume_24h_notional == 99


def test_a_product_that_is_no_longer_listed_leaves_the_universe() -> None:
    first = universe_of([BTC], TIERS, None, NOW)

    gone = universe_of([], TIERS, first, NOW)

    assert (gone.version, gone.products) == (2, ())


@given(st.sets(st.text("ABC", min_size=1, max_size=4)), st.integers(1, 5))
def test_every_product_belongs_to_exactly_one_shard(products: set[str], count: int) -> None:
    shards = [shard_of(products, index, count) for index in range(count)]

    assert sorted(product for shard in shards for product in shard) == sorted(products)
