from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from gpt_trader.market_data.domain.book import Book
from gpt_trader.market_data.domain.events import BookSide, Level
from tests.unit.market_data.market_builders import ask, bid

prices = st.integers(1, 400).map(Decimal)
quantities = st.integers(0, 50).map(Decimal)
levels = st.lists(st.builds(Level, st.sampled_from(BookSide), prices, quantities), max_size=60)


def test_best_levels_are_the_highest_bid_and_the_lowest_ask() -> None:
    best = Book([bid("99"), bid("100", "2"), ask("103"), ask("102", "3")]).best

    assert best is not None
    assert (best.bid, best.bid_quantity, best.ask, best.ask_quantity) == (100, 2, 102, 3)


def test_a_one_sided_book_has_no_best_and_no_depth() -> None:
    book = Book([bid("99")])

    assert book.best is None
    assert book.depth((10, 50)) == ()


def test_depth_sums_the_notional_within_each_band_around_mid() -> None:
    book = Book([bid("99.95"), bid("99.6", "2"), bid("98"), ask("100.05"), ask("100.4", "3"), ask("110")])

    narrow, wide, widest = book.depth((10, 50, 100))

    assert (narrow.bid_notional, narrow.ask_notional) == (Decimal("99.95"), Decimal("100.05"))
    assert (wide.bid_notional, wide.ask_notional) == (Decimal("299.15"), Decimal("401.25"))
    assert (widest.bid_notional, widest.ask_notional) == (wide.bid_notional, wide.ask_notional)


@given(snapshot=levels, updates=levels)
def test_a_book_equals_the_last_absolute_quantity_of_every_price(snapshot: list[Level], updates: list[Level]) -> None:
    book = Book(snapshot)
    book.apply(updates)

    for side, is_reversed in ((BookSide.BID, True), (BookSide.ASK, False)):
        told = {level.price: level.quantity for level in [*snapshot, *updates] if level.side is side}
        standing = sorted(((p, q) for p, q in told.items() if q), reverse=is_reversed)
        assert list(book.levels(side)) == standing


@given(snapshot=levels, updates=levels, cut=st.integers(0, 60))
def test_any_split_of_updates_gives_the_same_book(snapshot: list[Level], updates: list[Level], cut: int) -> None:
    at_once, in_parts = Book(snapshot), Book(snapshot)

    at_once.apply(updates)
    in_parts.apply(updates[:cut])
    in_parts.apply(updates[cut:])

    assert [list(at_once.levels(side)) for side in BookSide] == [list(in_parts.levels(side)) for side in BookSide]
    assert at_once.depth((10, 50, 100)) == in_parts.depth((10, 50, 100))


@given(levels)
def test_depth_never_shrinks_with_a_wider_band(snapshot: list[Level]) -> None:
    depth = Book(snapshot).depth((10, 50, 100))

    assert list(depth) == sorted(depth, key=lambda band: (band.bid_notional, band.ask_notional, band.within_bps))
