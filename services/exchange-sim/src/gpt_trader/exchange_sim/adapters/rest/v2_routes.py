"""The few old v2 routes that third-party clients still call."""

from gpt_trader.exchange_sim.adapters.keys import Scope
from gpt_trader.exchange_sim.adapters.rest.account_routes import FIAT
from gpt_trader.exchange_sim.adapters.rest.wire import Call, Json, Reply, Route, text, timestamp
from gpt_trader.exchange_sim.domain.matching import floor
from gpt_trader.exchange_sim.domain.orders import CUSTOMER


def v2_routes() -> list[Route]:
    """List the v2 routes."""
    table = (
        ("/v2/currencies", None, _currencies),
        ("/v2/currencies/crypto", None, _crypto),
        ("/v2/exchange-rates", None, _rates),
        ("/v2/time", None, _time),
        ("/v2/accounts", Scope.VIEW, _accounts),
    )
    return [Route(method="GET", path=path, scope=scope, answer=answer) for path, scope, answer in table]


def _currencies(call: Call) -> Reply:
    quotes = sorted({listing.product.quote for listing in call.floor.venue.listings.values()})
    rows: list[Json] = [{"id": code, "name": code, "min_size": "0.01"} for code in quotes if code in FIAT]
    return Reply(body={"data": rows})


def _crypto(call: Call) -> Reply:
    products = [one.product for one in call.floor.venue.listings.values() if one.product.contract is None]
    rows: list[Json] = [
        {
            "asset_id": call.floor.venue.id_of("asset", product.base),
            "code": product.base,
            "name": product.base_name,
            "color": "#000000",
            "sort_index": index,
            "exponent": 8,
            "type": "crypto",
        }
        for index, product in enumerate(products)
    ]
    return Reply(body={"data": rows})


def _rates(call: Call) -> Reply:
    currency = call.query.get("currency", "USD")
    rates: Json = {"USD": "1"} if currency == "USD" else {}
    for listing in call.floor.venue.listings.values():
        if listing.product.quote == currency and listing.product.contract is None:
            price = listing.last_or_start()
            rates[listing.product.base] = text(floor(1 / price, listing.product.base_increment))
    return Reply(body={"data": {"currency": currency, "rates": rates}})


def _time(call: Call) -> Reply:
    return Reply(body={"data": {"iso": timestamp(call.now), "epoch": int(call.now.timestamp())}})


def _accounts(call: Call) -> Reply:
    venue = call.floor.venue
    rows: list[Json] = [
        {
            "id": venue.id_of("account", currency),
            "name": f"{currency} Wallet",
            "type": "fiat" if currency in FIAT else "wallet",
            "currency": {"code": currency, "name": currency},
            "balance": {"amount": text(venue.ledger.balance(CUSTOMER, currency).total), "currency": currency},
        }
        for currency in venue.ledger.currencies(CUSTOMER)
    ]
    return Reply(body={"pagination": {}, "data": rows})
