"""The REST adapter against a real HTTP server that misbehaves on command."""

import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from gpt_trader.market_data.adapters.coinbase_rest import CoinbaseRest, RestSettings
from gpt_trader.market_data.ports import VenueUnavailable
from tests.unit.market_data.market_builders import BTC, NOW, at

SECONDS = int(NOW.timestamp())


@dataclass(slots=True)
class Venue:
    rest: CoinbaseRest = field(init=False)
    replies: list[web.Response] = field(default_factory=list)
    asked: list[dict[str, str]] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(dict(request.query))
        return self.replies.pop(0)


def said(body: Any, status: int = 200) -> web.Response:
    return web.json_response(body, status=status)


def a_print(number: int, seconds: float) -> dict[str, str]:
    return {
        "trade_id": str(number),
        "product_id": BTC,
        "price": "1",
        "size": "1",
        "time": at(seconds).isoformat(),
    }


@pytest.fixture
async def venue() -> AsyncIterator[Venue]:
    script = Venue()
    application = web.Application()
    application.router.add_get("/{path:.*}", script.answer)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with aiohttp.ClientSession() as session:
        script.rest = CoinbaseRest(
            session=session,
            tls=ssl.create_default_context(),
            settings=RestSettings(
                url=f"http://127.0.0.1:{runner.addresses[0][1]}",
                timeout=timedelta(seconds=2),
                tries=3,
                longest_wait=timedelta(milliseconds=1),
                pause=timedelta(0),
            ),
            chances=Random(1),
            answered=script.statuses.append,
        )
        yield script
    await runner.cleanup()


async def test_what_may_pass_is_tried_three_times(venue: Venue) -> None:
    venue.replies = [said({}, 503), said({}, 429), said({"trades": []})]

    history = await venue.rest.trades(BTC, (at(0), at(10)))

    assert (history.trades, history.is_complete, len(venue.asked)) == ((), True, 3)


async def test_three_failures_are_unavailable(venue: Venue) -> None:
    venue.replies = [said({}, 500), web.Response(text="<html>"), said({}, 502)]

    with pytest.raises(VenueUnavailable, match="after 3 tries"):
        await venue.rest.trades(BTC, (at(0), at(10)))


async def test_a_refusal_is_not_repeated(venue: Venue) -> None:
    venue.replies = [said({"error": "INVALID_ARGUMENT"}, 400)]

    with pytest.raises(VenueUnavailable, match="INVALID_ARGUMENT"):
        await venue.rest.trades(BTC, (at(0), at(10)))

    assert len(venue.asked) == 1


async def test_an_unlisted_product_is_left_out_of_the_catalogue(venue: Venue) -> None:
    venue.replies = [said({"error": "NOT_FOUND"}, 404)]

    assert await venue.rest.listings(["NOPE-USD"]) == ()


async def test_candles_are_asked_in_pieces_of_300_with_inclusive_ends_and_come_oldest_first(venue: Venue) -> None:
    ohlcv = {"open": "1", "high": "1", "low": "1", "close": "1", "volume": "1"}

    def reply(*minutes: int) -> web.Response:
        return said({"candles": [{"start": str(SECONDS + 60 * minute), **ohlcv} for minute in minutes]})

    venue.replies = [reply(299, 0), reply(301, 310)]

    candles = await venue.rest.candles(BTC, "1m", (at(0), at(302 * 60)), NOW)

    assert [(c.start - NOW) // timedelta(minutes=1) for c in candles] == [0, 299, 301]
    assert [(int(q["start"]) - SECONDS, int(q["end"]) - SECONDS) for q in venue.asked] == [
        (0, 299 * 60),
        (300 * 60, 301 * 60),
    ]
    assert {q["granularity"] for q in venue.asked} == {"ONE_MINUTE"}


async def test_trades_are_paged_back_until_the_span_is_complete(venue: Venue) -> None:
    venue.replies = [
        said({"trades": [a_print(1000 - n, 200 - n) for n in range(100)]}),
        said({"trades": [a_print(901 - n, 101 - n) for n in range(40)]}),
    ]

    history = await venue.rest.trades(BTC, (at(0), at(200)))

    assert history.is_complete
    assert len(history.trades) == 139
    assert int(venue.asked[1]["end"]) - SECONDS == 102


async def test_more_trades_in_one_second_than_a_page_holds_are_incomplete(venue: Venue) -> None:
    page = [a_print(1000 - n, 100) for n in range(100)]
    venue.replies = [said({"trades": page}), said({"trades": page})]

    history = await venue.rest.trades(BTC, (at(0), at(200)))

    assert not history.is_complete
