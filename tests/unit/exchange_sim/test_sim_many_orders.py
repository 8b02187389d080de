"""Thousands of open orders: held, matched around and listed page by page."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from multidict import MultiDict

from gpt_trader.exchange_sim.adapters.faults import Faults
from gpt_trader.exchange_sim.adapters.rest.reading_routes import reading_routes
from gpt_trader.exchange_sim.adapters.rest.wire import Call, Refused, Strikes
from gpt_trader.exchange_sim.domain.candles import CandleSeries, no_past
from gpt_trader.exchange_sim.domain.delays import Delays
from gpt_trader.exchange_sim.domain.listing import Listing
from gpt_trader.exchange_sim.domain.orders import CUSTOMER, OrderKind, OrderRequest, Side, Terms
from gpt_trader.exchange_sim.domain.products import product_of
from gpt_trader.exchange_sim.domain.validation import MAX_OPEN_ORDERS, Accepted, Refusal
from gpt_trader.exchange_sim.domain.venue import Venue

from .conftest import FEES, START, ScriptedMarket

PRODUCTS = [f"C{number}-USD" for number in range(10)]
LIST = next(route.answer for route in reading_routes() if route.path.endswith("/batch"))


@dataclass(frozen=True)
class StillFloor:
    venue: Venue


class NoTime:
    def elapsed(self) -> float:
        return 0.0

    def unix_ns(self) -> int:
        return 0


@pytest.fixture(scope="module")
def crowd() -> Venue:
    """Open 5,000 orders, as many as the venue takes in ten products."""
    listings = [
        Listing(
            product=product_of(name, Decimal(100)),
            stream=ScriptedMarket(),
            candles=CandleSeries(int(START.timestamp()), no_past),
        )
        for name in PRODUCTS
    ]
    venue = Venue(listings=listings, fees=FEES, delays=Delays(), name="crowd", opened_at=START)
    venue.ledger.deposit(CUSTOMER, "USD", Decimal(10**7))
    for product in PRODUCTS:
        assert all(isinstance(bid(venue, product, number), Accepted) for number in range(MAX_OPEN_ORDERS))
    return venue


def bid(venue: Venue, product: str, number: int) -> Accepted | Refusal:
    terms = Terms(kind=OrderKind.LIMIT_GTC, base_size=Decimal(1), limit_price=Decimal(50 + number % 40))
    request = OrderRequest(client_order_id=f"{product}-{number}", product_id=product, side=Side.BUY, terms=terms)
    return venue.create(request, START)


def page(venue: Venue, **query: str) -> dict[str, Any]:
    faults = Faults(stopwatch=NoTime())
    call = Call(
        floor=StillFloor(venue),  # type: ignore[arg-type] -- listing needs nothing but the venue
        now=START,
        query=MultiDict(query),
        path={},
        raw_body=b"",
        key=None,
        server_time=START,
        strikes=Strikes(faults, faults.board.occasion("GET /orders")),
    )
    body = LIST(call).body
    assert isinstance(body, dict)
    return body


def pages(venue: Venue, **query: str) -> Iterator[list[str]]:
    cursor = ""
    while True:
        found: Any = page(venue, cursor=cursor, **query)
        yield [order["order_id"] for order in found["orders"]]
        cursor = found["cursor"]
        if not found["has_next"]:
            return


@pytest.mark.parametrize(("limit", "count"), [("250", 20), ("1000", 5)])
def test_five_thousand_open_orders_are_listed_newest_first_each_once(crowd: Venue, limit: str, count: int) -> None:
    found = list(pages(crowd, order_status="OPEN", limit=limit))

    assert len(found) == count
    assert [name for one in found for name in one] == list(reversed(crowd.orders))


def test_one_more_than_a_product_takes_is_refused(crowd: Venue) -> None:
    refused = bid(crowd, PRODUCTS[0], MAX_OPEN_ORDERS)

    assert isinstance(refused, Refusal)
    assert refused.reason == "COMMANDER_REJECTED_NEW_ORDER"


def test_a_listing_goes_on_though_the_order_at_its_cursor_ended_meanwhile(crowd: Venue) -> None:
    first: Any = page(crowd, order_status="OPEN", limit="2", product_ids=PRODUCTS[3])
    crowd.cancel(first["cursor"], START)

    rest = [one for found in pages(crowd, order_status="OPEN", product_ids=PRODUCTS[3]) for one in found]
    following: Any = page(crowd, order_status="OPEN", limit="2", product_ids=PRODUCTS[3], cursor=first["cursor"])

    assert [order["order_id"] for order in following["orders"]] == rest[1:3]
    with pytest.raises(Refused, match="not a cursor"):
        page(crowd, cursor="nonsense")
