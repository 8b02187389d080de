"""The few v2 routes that clients still call, and the only ones that tell of deposits and withdrawals."""

from decimal import Decimal

from gpt_trader.exchange_sim.adapters.keys import Scope
from gpt_trader.exchange_sim.adapters.rest.account_routes import FIAT
from gpt_trader.exchange_sim.adapters.rest.wire import Call, Json, Refused, Reply, Route, text, timestamp
from gpt_trader.exchange_sim.domain.accounts import Transfer
from gpt_trader.exchange_sim.domain.matching import floor
from gpt_trader.exchange_sim.domain.orders import CUSTOMER, Side
from gpt_trader.exchange_sim.domain.venue import Venue


def v2_routes() -> list[Route]:
    """List the v2 routes."""
    table = (
        ("/v2/currencies", None, _currencies),
        ("/v2/currencies/crypto", None, _crypto),
        ("/v2/exchange-rates", None, _rates),
        ("/v2/time", None, _time),
        ("/v2/accounts", Scope.VIEW, _accounts),
        ("/v2/accounts/{uuid}/transactions", Scope.VIEW, _transactions),
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
    return Reply(body={"data": {"iso": timestamp(call.server_time), "epoch": int(call.server_time.timestamp())}})


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


def _transactions(call: Call) -> Reply:
    """Page through deposits, withdrawals and fills of one account, newest first."""
    venue, path = call.floor.venue, f"/v2/accounts/{call.path['uuid']}/transactions"
    currency = next(
        (one for one in venue.ledger.currencies(CUSTOMER) if venue.id_of("account", one) == call.path["uuid"]), None
    )
    if currency is None:
        raise Refused(404, "not_found", "Account not found")
    mine = [one for one in venue.ledger.transfers if one.owner == CUSTOMER and one.currency == currency]
    rows = sorted([*(_transfer_json(venue, one) for one in mine), *_fill_rows(venue, currency)], key=_created)[::-1]
    limit, after = call.integer("limit", 25, 100), call.query.get("starting_after", "")
    start = next((place + 1 for place, row in enumerate(rows) if row["id"] == after), 0)
    page = rows[start : start + limit]
    is_last = start + limit >= len(rows)
    next_uri = None if is_last else f"{path}?limit={limit}&starting_after={page[-1]['id']}"
    return Reply(body={"pagination": {"limit": limit, "order": "desc", "next_uri": next_uri}, "data": page})


def _transfer_json(venue: Venue, transfer: Transfer) -> Json:
    is_deposit = transfer.amount > 0
    is_fiat = transfer.currency in FIAT
    kind = ("fiat_deposit" if is_deposit else "fiat_withdrawal") if is_fiat else ("receive" if is_deposit else "send")
    own = venue.id_of("transaction", str(transfer.number))
    return _transaction(own, transfer.kind or kind, transfer.amount, transfer.currency, timestamp(transfer.at))


def _fill_rows(venue: Venue, currency: str) -> list[Json]:
    rows: list[Json] = []
    for fill in venue.clearing.fills:
        product = venue.listings[fill.trade.product_id].product
        if fill.owner != CUSTOMER or product.contract is not None or currency not in {product.base, product.quote}:
            continue
        sign = 1 if fill.side is Side.BUY else -1
        amount = sign * fill.trade.quantity if currency == product.base else -sign * fill.value - fill.commission
        own = venue.id_of("transaction", f"fill-{fill.sequence}-{currency}")
        rows.append(_transaction(own, "advanced_trade_fill", amount, currency, timestamp(fill.trade.at)))
    return rows


def _transaction(own: str, kind: str, amount: Decimal, currency: str, at: str) -> Json:
    return {
        "id": own,
        "type": kind,
        "status": "completed",
        "amount": {"amount": text(amount), "currency": currency},
        "native_amount": {"amount": text(amount), "currency": currency},
        "created_at": at,
        "resource": "transaction",
    }


def _created(row: Json) -> str:
    return str(row["created_at"])
