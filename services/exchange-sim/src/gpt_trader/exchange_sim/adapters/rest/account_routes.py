"""Accounts, portfolios, fees and key permissions."""

from datetime import timedelta
from decimal import Decimal

from gpt_trader.exchange_sim.adapters.futures_render import portfolio_position_json
from gpt_trader.exchange_sim.adapters.keys import Scope
from gpt_trader.exchange_sim.adapters.render import product_type
from gpt_trader.exchange_sim.adapters.rest.market_routes import PREFIX
from gpt_trader.exchange_sim.adapters.rest.wire import (
    Call,
    Json,
    Refused,
    Reply,
    Route,
    amount_of,
    ratio,
    text,
    timestamp,
)
from gpt_trader.exchange_sim.domain.accounts import Balance
from gpt_trader.exchange_sim.domain.desk import terms_of
from gpt_trader.exchange_sim.domain.orders import CUSTOMER, ZERO
from gpt_trader.exchange_sim.domain.venue import Venue

CASH = frozenset({"USD", "EUR", "GBP", "USDC"})
FIAT = frozenset({"USD", "EUR", "GBP"})


def account_routes() -> list[Route]:
    """List the routes about the key's owner, and those this venue knows but does not offer."""
    view = (
        ("/accounts", _accounts),
        ("/accounts/{uuid}", _account),
        ("/portfolios", _portfolios),
        ("/portfolios/{uuid}", _breakdown),
        ("/transaction_summary", _transaction_summary),
        ("/key_permissions", _key_permissions),
    )
    routes = [Route(method="GET", path=PREFIX + path, scope=Scope.VIEW, answer=answer) for path, answer in view]
    closed = (
        ("POST", "/portfolios", Scope.TRADE),
        ("POST", "/portfolios/move_funds", Scope.TRANSFER),
        ("PUT", "/portfolios/{uuid}", Scope.TRADE),
        ("DELETE", "/portfolios/{uuid}", Scope.TRADE),
        ("GET", "/payment_methods", Scope.VIEW),
        ("GET", "/payment_methods/{id}", Scope.VIEW),
        ("POST", "/convert/quote", Scope.TRADE),
        ("GET", "/convert/trade/{id}", Scope.VIEW),
        ("POST", "/convert/trade/{id}", Scope.TRADE),
    )
    routes += [Route(method=method, path=PREFIX + path, scope=scope, answer=_closed) for method, path, scope in closed]
    routes += [
        Route(method=method, path=f"{PREFIX}/intx/{{tail:.*}}", scope=scope, answer=_closed)
        for method, scope in (("GET", Scope.VIEW), ("POST", Scope.TRADE), ("DELETE", Scope.TRANSFER))
    ]
    return routes


def portfolio_id(venue: Venue) -> str:
    """Identify the only portfolio."""
    return venue.id_of("portfolio", "default")


def user_id(venue: Venue) -> str:
    """Identify the only user."""
    return venue.id_of("user", "default")


def _closed(call: Call) -> Reply:
    del call
    raise Refused(403, "PERMISSION_DENIED", "User does not have the correct permissions")


def _accounts(call: Call) -> Reply:
    venue = call.floor.venue
    accounts = [_account_json(call, currency) for currency in venue.ledger.currencies(CUSTOMER)]
    limit = call.integer("limit", 49, 250)
    cursor = call.query.get("cursor", "")
    offset = int(cursor) if cursor.isdecimal() else 0
    page = accounts[offset : offset + limit]
    has_next = offset + limit < len(accounts)
    return Reply(
        body={
            "accounts": page,
            "has_next": has_next,
            "cursor": str(offset + limit) if has_next else "",
            "size": len(page),
        }
    )


def _account(call: Call) -> Reply:
    venue = call.floor.venue
    for currency in venue.ledger.currencies(CUSTOMER):
        if venue.id_of("account", currency) == call.path["uuid"]:
            return Reply(body={"account": _account_json(call, currency)})
    raise Refused(404, "NOT_FOUND", "account with this uuid was not found")


def _account_json(call: Call, currency: str) -> Json:
    venue = call.floor.venue
    balance = venue.ledger.balance(CUSTOMER, currency)
    opened = timestamp(call.now - timedelta(days=30) if call.now.year > 1 else call.now)[:10] + "T00:00:00Z"
    return {
        "uuid": venue.id_of("account", currency),
        "name": f"{currency} Wallet",
        "currency": currency,
        "available_balance": amount_of(balance.available, currency),
        "default": currency == "USD",
        "active": True,
        "created_at": opened,
        "updated_at": timestamp(call.now),
        "deleted_at": None,
        "type": "ACCOUNT_TYPE_FIAT" if currency in FIAT else "ACCOUNT_TYPE_CRYPTO",
        "ready": True,
        "hold": amount_of(balance.held, currency),
        "retail_portfolio_id": portfolio_id(venue),
        "platform": "ACCOUNT_PLATFORM_CONSUMER",
    }


def _portfolio_json(venue: Venue) -> Json:
    return {"name": "Default", "uuid": portfolio_id(venue), "type": "DEFAULT", "deleted": False}


def _portfolios(call: Call) -> Reply:
    wanted = call.query.get("portfolio_type", "DEFAULT")
    found = [_portfolio_json(call.floor.venue)] if wanted in {"DEFAULT", "UNDEFINED"} else []
    return Reply(body={"portfolios": found})


def _breakdown(call: Call) -> Reply:
    venue = call.floor.venue
    if call.path["uuid"] != portfolio_id(venue):
        raise Refused(403, "PERMISSION_DENIED", "User does not have access to portfolio")
    worth = {currency: _worth(venue, currency) for currency in venue.ledger.currencies(CUSTOMER)}
    cash = sum((value for currency, value in worth.items() if currency in CASH), ZERO)
    total = sum(worth.values(), ZERO)
    futures = venue.desk.account(CUSTOMER)
    return Reply(
        body={
            "breakdown": {
                "portfolio": _portfolio_json(venue),
                "portfolio_balances": {
                    "total_balance": amount_of(total + futures.equity, "USD"),
                    "total_futures_balance": amount_of(futures.equity, "USD"),
                    "total_cash_equivalent_balance": amount_of(cash, "USD"),
                    "total_crypto_balance": amount_of(total - cash, "USD"),
                    "futures_unrealized_pnl": amount_of(futures.unrealized, "USD"),
                    "perp_unrealized_pnl": amount_of(ZERO, "USD"),
                },
                "spot_positions": [_spot_json(venue, currency, worth[currency], total) for currency in worth],
                "perp_positions": [],
                "futures_positions": [
                    portfolio_position_json(one, terms_of(venue.listings[one.product_id].product))
                    for one in futures.exposures
                ],
            }
        }
    )


def _spot_json(venue: Venue, currency: str, worth: Decimal, total: Decimal) -> Json:
    balance: Balance = venue.ledger.balance(CUSTOMER, currency)
    return {
        "asset": currency,
        "account_uuid": venue.id_of("account", currency),
        "total_balance_fiat": _number(worth),
        "total_balance_crypto": _number(balance.total),
        "available_to_trade_fiat": _number(worth * ratio(balance.available, balance.total)),
        "allocation": _number(ratio(worth, total)),
        "one_day_change": 0,
        "cost_basis": amount_of(ZERO, "USD"),
        "asset_img_url": "",
        "is_cash": currency in CASH,
    }


def _worth(venue: Venue, currency: str) -> Decimal:
    total = venue.ledger.balance(CUSTOMER, currency).total
    listing = venue.listings.get(f"{currency}-USD")
    return total if currency in CASH or listing is None else total * listing.last_or_start()


def _number(value: Decimal) -> float:
    return float(value)  # the venue sends JSON numbers here


def _transaction_summary(call: Call) -> Reply:
    venue = call.floor.venue
    wanted = call.query.get("product_type", "")
    rates = {"FUTURE": venue.desk.fees}.get(wanted, venue.clearing.fees)
    mine = [
        fill
        for fill in venue.clearing.fills
        if fill.owner == CUSTOMER and wanted in {"", "UNKNOWN_PRODUCT_TYPE", product_type(venue.orders[fill.order_id])}
    ]
    volume = _number(sum((fill.value for fill in mine), ZERO))
    fees = _number(sum((fill.commission for fill in mine), ZERO))
    total = sum((_worth(venue, currency) for currency in venue.ledger.currencies(CUSTOMER)), ZERO)
    total += venue.desk.account(CUSTOMER).equity
    return Reply(
        body={
            "total_volume": volume,
            "total_fees": fees,
            "advanced_trade_only_volume": volume,
            "advanced_trade_only_fees": fees,
            "coinbase_pro_volume": 0,
            "coinbase_pro_fees": 0,
            "total_balance": text(total),
            "margin_rate": None,
            "goods_and_services_tax": None,
            "has_promo_fee": False,
            "has_cost_plus_commission": False,
            "volume_breakdown": [],
            "fee_tier": {
                "pricing_tier": "Simulated",
                "usd_from": "0",
                "usd_to": "",
                "taker_fee_rate": text(rates.taker),
                "maker_fee_rate": text(rates.maker),
                "aop_from": "",
                "aop_to": "",
                "volume_types_and_range": [],
            },
        }
    )


def _key_permissions(call: Call) -> Reply:
    scopes = frozenset[Scope]() if call.key is None else call.key.scopes
    return Reply(
        body={
            "can_view": Scope.VIEW in scopes,
            "can_trade": Scope.TRADE in scopes,
            "can_transfer": Scope.TRANSFER in scopes,
            "portfolio_uuid": portfolio_id(call.floor.venue),
            "portfolio_type": "DEFAULT",
        }
    )
