"""A venue that is nobody's: own paths, lists for orders, numbers for ids, states in its own words, no client id listed.

Prints its port; every order that comes is made, twice if it comes twice. One for now fills at once at its limit; of one
that stays half does, and the rest waits until it is taken away. `/mute` leaves the next order without an answer.
"""

import asyncio
import itertools
import json
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any

from aiohttp import web

FEE = "0.25"


class Toy:
    """Its orders by number, as rows."""

    def __init__(self) -> None:
        self.numbers = itertools.count(17)
        self.rows: dict[int, dict[str, Any]] = {}
        self.is_mute = False

    async def place(self, request: web.Request) -> web.Response:
        raw = await request.read()
        pair, way, amount, price, mode, until, tag = json.loads(raw)
        if pair != "BTC/USD" or mode not in {"now", "stay"}:
            return web.json_response({"no": "unknown pair or mode"}, status=422)
        at = int(datetime.now(UTC).timestamp() * 1000)
        number = next(self.numbers)
        done, state = (amount, "done") if mode == "now" else (str(Decimal(amount) / 2), "waiting")
        self.rows[number] = {
            "pair": pair, "way": way, "amount": amount, "price": price, "until": until, "tag": tag,
            "state": state, "done": done, "at": at, "sha256": sha256(raw).hexdigest(),
        }  # fmt: skip
        if self.is_mute and request.transport is not None:
            self.is_mute = False
            request.transport.abort()
        return web.json_response({"ref": number}, status=201)

    async def mute(self, _request: web.Request) -> web.Response:
        self.is_mute = True
        return web.json_response({})

    async def one(self, request: web.Request) -> web.Response:
        number = int(request.match_info["ref"])
        return web.json_response({"ref": number, **self.rows[number]})

    async def away(self, request: web.Request) -> web.Response:
        row = self.rows[int(request.match_info["ref"])]
        row["state"] = "gone" if row["state"] == "waiting" else row["state"]
        return web.json_response({})

    async def all(self, _request: web.Request) -> web.Response:
        return web.json_response([[number, row["state"]] for number, row in self.rows.items()])

    async def trades(self, request: web.Request) -> web.Response:
        number = int(request.match_info["ref"])
        row = self.rows[number]
        return web.json_response([[f"t{number}", row["done"], row["price"], FEE, row["at"]]])

    async def top(self, _request: web.Request) -> web.Response:
        return web.json_response({"BTC/USD": {"b": ["49995", "2"], "a": ["50005", "2"], "n": 7}})


async def main() -> None:
    toy = Toy()
    app = web.Application()
    app.add_routes(
        [
            web.post("/place", toy.place),
            web.post("/mute", toy.mute),
            web.get("/order/{ref}", toy.one),
            web.delete("/order/{ref}", toy.away),
            web.get("/orders", toy.all),
            web.get("/trades/{ref}", toy.trades),
            web.get("/top", toy.top),
        ]
    )
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
