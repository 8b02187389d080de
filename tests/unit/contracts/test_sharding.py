"""Every product has exactly one of the processes that share them, and both ends find the same one."""

from hypothesis import given
from hypothesis import strategies as st

from gpt_trader.contracts.sharding import WHOLE, Shard, shard_of


@given(st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-", min_size=3, max_size=20), st.integers(1, 64))
def test_exactly_one_of_them_has_a_product(product: str, count: int) -> None:
    assert [Shard(index=one, count=count).has(product) for one in range(count)].count(True) == 1
    assert WHOLE.has(product)


def test_a_product_stays_where_it_is_from_release_to_release() -> None:
    demo = ("BTC-USD", "ETH-USD", "SOL-USD", "LTC-USD", "XRP-USD", "DOGE-USD")

    assert [shard_of(product, 2) for product in demo] == [1, 0, 1, 1, 0, 0]
    assert [shard_of(product, 3) for product in demo] == [1, 2, 2, 0, 0, 1]
