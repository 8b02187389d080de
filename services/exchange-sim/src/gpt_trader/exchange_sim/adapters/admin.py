"""A loopback listener for tests: look at everything, break anything."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from aiohttp import web
from multidict import MultiDict

from gpt_trader.exchange_sim.adapters.admin_bodies import (
    BalanceBody,
    DelaysBody,
    ExternalOrderBody,
    MarketBody,
)
from gpt_trader.exchange_sim.adapters.admin_faults import FaultRoutes
from gpt_trader.exchange_sim.adapters.faults import Faults
from gpt_trader.exchange_sim.adapters.futures_render import position_json, summary_feed
from gpt_trader.exchange_sim.adapters.render import fill_json, order_json
from gpt_trader.exchange_sim.adapters.rest.account_routes import portfolio_id, user_id
from gpt_trader.exchange_sim.adapters.rest.bodies import request_of
from gpt_trader.exchange_sim.adapters.rest.order_routes import place
from gpt_trader.exchange_sim.adapters.rest.wire import (
    Call,
    Json,
    Refused,
    Strikes,
    encode,
    invalid,
    parse_body,
    text,
    timestamp,
)
from gpt_trader.exchange_sim.domain.accounts import CashKind, CashMoved
from gpt_trader.exchange_sim.domain.contracts import Contract, MarginRates
from gpt_trader.exchange_sim.domain.delays import Delays
from gpt_trader.exchange_sim.domain.execution import OrderChanged
from gpt_trader.exchange_sim.domain.listing import Listing
from gpt_trader.exchange_sim.domain.margin import MarginSetting
from gpt_trader.exchange_sim.domain.markets import Pin
from gpt_trader.exchange_sim.domain.orders import CUSTOMER, STRANGER
from gpt_trader.exchange_sim.domain.sessions import MarginWindow
from gpt_trader.exchange_sim.domain.venue import Venue
from gpt_trader.exchange_sim.ports import Floor, JournalEntry

_HUNDRED = Decimal(100)
_EMPTY: MultiDict[str] = MultiDict()


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminServer:
    """Inspection and fault hooks."""

    floor: Floor
    faults: Faults

    def application(self) -> web.Application:
        """Build the listener's routes."""
        app = web.Application()
        app.router.add_get("/healthz", _serving(self._health))
        app.router.add_get("/books", _serving(self._books))
        for method, path, answer in FaultRoutes(floor=self.floor, faults=self.faults).table():
            app.router.add_route(method, path, _serving(answer))
        app.router.add_post("/market", _serving(self._market))
        app.router.add_post("/delays", _serving(self._delays))
        app.router.add_post("/orders/external", _serving(self._external_order))
        app.router.add_post("/balances", _serving(self._balances))
        return app

    def _health(self, raw: bytes) -> Json:
        del raw
        listings = self.floor.venue.listings.values()
        return {
            "status": "ok",
            "now": timestamp(self.floor.now()),
            "products": [listing.product.product_id for listing in listings],
            "last": {listing.product.product_id: text(listing.last) for listing in listings},
        }

    def _books(self, raw: bytes) -> Json:
        del raw
        venue = self.floor.venue
        user, portfolio = user_id(venue), portfolio_id(venue)
        return {
            "now": timestamp(self.floor.now()),
            "orders": [{**order_json(order, user, portfolio), "owner": order.owner} for order in venue.orders.values()],
            "fills": [{**fill_json(fill, user, portfolio), "owner": fill.owner} for fill in venue.clearing.fills],
            "balances": {
                currency: {"total": text(balance.total), "hold": text(balance.held)}
                for currency in venue.ledger.currencies(CUSTOMER)
                for balance in (venue.ledger.balance(CUSTOMER, currency),)
            },
            "transfers": [
                {"currency": one.currency, "amount": text(one.amount), "at": timestamp(one.at)}
                for one in venue.ledger.transfers
                if one.owner == CUSTOMER
            ],
            "futures": _futures_json(venue),
            "events": [_event_json(entry, self.floor) for entry in self.floor.journal],
        }

    def _market(self, raw: bytes) -> Json:
        body = parse_body(MarketBody, raw)
        listings = self.floor.venue.listings
        if body.product_id is not None and body.product_id not in listings:
            raise invalid(f"product_id: {body.product_id!r} is not listed here")
        chosen = list(listings) if body.product_id is None else [body.product_id]
        for product_id in chosen:
            _change_market(listings[product_id], body)
        self._change_futures([listings[product_id] for product_id in chosen], body)
        return {"changed": chosen}

    def _change_futures(self, chosen: list[Listing], body: MarketBody) -> None:
        venue, now = self.floor.venue, self.floor.now()
        venue.advance(now)
        if body.changes_terms:
            for listing in chosen:
                if listing.product.contract is not None:
                    _change_contract(listing, listing.product.contract, body, now)
                elif body.product_id is not None:
                    raise invalid(f"product_id: {body.product_id!r} is not a future")
        if body.margin_window is not None:
            ends_at = None if body.window_ends_in_s is None else now + timedelta(seconds=body.window_ends_in_s)
            venue.day.force_window(MarginWindow.__members__.get(body.margin_window), now, ends_at)
        if body.margin_setting is not None:
            venue.desk.choose(MarginSetting[body.margin_setting])
        if body.pays_funding:
            venue.desk.pay_funding(now)
        venue.desk.rehold_all()
        venue.advance(now)
        self.floor.publish()

    def _delays(self, raw: bytes) -> Json:
        body = parse_body(DelaysBody, raw)
        venue = self.floor.venue
        venue.delays = Delays(
            pending=_milliseconds(body.pending_ms, venue.delays.pending),
            visibility=_milliseconds(body.visibility_ms, venue.delays.visibility),
            cancel=_milliseconds(body.cancel_ms, venue.delays.cancel),
        )
        return {"pending": str(venue.delays.pending), "visibility": str(venue.delays.visibility)}

    def _external_order(self, raw: bytes) -> Json:
        body = parse_body(ExternalOrderBody, raw)
        now = self.floor.now()
        request = request_of(body, body.client_order_id, STRANGER if body.stranger else CUSTOMER)
        if body.stranger:
            self._endow(request.product_id)
        call = Call(
            floor=self.floor,
            now=now,
            query=_EMPTY,
            path={},
            raw_body=b"",
            key=None,
            server_time=now,
            strikes=Strikes(self.faults, self.faults.board.occasion("an order by another hand")),
        )
        reply = place(call, request)
        return reply.body if isinstance(reply.body, dict) else {}

    def _endow(self, product_id: str) -> None:
        plenty = Decimal(10**9)
        listing = self.floor.venue.listings.get(product_id)
        if listing is None:
            return
        product = listing.product
        for currency in (product.base, product.quote) if product.contract is None else (product.quote,):
            if self.floor.venue.ledger.balance(STRANGER, currency).available < plenty:
                self.floor.venue.ledger.deposit(STRANGER, currency, plenty)

    def _balances(self, raw: bytes) -> Json:
        body = parse_body(BalanceBody, raw)
        ledger = self.floor.venue.ledger
        given = -body.amount if body.to_futures else body.amount
        if ledger.balance(CUSTOMER, body.currency).available + given < 0:
            raise invalid(f"amount: {body.amount} is more than is available")
        if body.to_futures:
            self.floor.venue.desk.pay(CUSTOMER, CashKind.TO_FUTURES, body.amount, self.floor.now())
        elif body.is_listed:
            ledger.transfer(CUSTOMER, body.currency, body.amount, self.floor.now(), body.kind)
        else:
            ledger.deposit(CUSTOMER, body.currency, body.amount)
        return {"total": text(ledger.balance(CUSTOMER, body.currency).total)}


def _milliseconds(given: int | None, otherwise: timedelta) -> timedelta:
    return otherwise if given is None else timedelta(milliseconds=given)


def _change_market(listing: Listing, body: MarketBody) -> None:
    conditions = listing.conditions
    follows = listing.product.contract is not None and body.product_id is None
    if body.jump_percent is not None and not follows:
        conditions.price_factor *= 1 + body.jump_percent / _HUNDRED
    if body.frozen is not None:
        conditions.is_frozen = body.frozen
    if body.mid is not None:
        conditions.pin = Pin(mid=body.mid, spread_bps=body.spread_bps, depth=body.depth_notional)
    if body.unpin:
        conditions.pin = None
    conditions.spread_multiplier = body.spread_multiplier or conditions.spread_multiplier
    conditions.depth_multiplier = body.depth_multiplier or conditions.depth_multiplier
    if body.flags:
        try:
            listing.product = listing.product.with_flags(body.flags)
        except TypeError:
            raise invalid(f"flags: {sorted(body.flags)} contains an unknown flag") from None


def _change_contract(listing: Listing, contract: Contract, body: MarketBody, now: datetime) -> None:
    changed = replace(
        contract,
        funding_rate=contract.funding_rate if body.funding_rate is None else body.funding_rate,
        intraday=_rates(body.intraday_margin_rate, contract.intraday),
        overnight=_rates(body.overnight_margin_rate, contract.overnight),
        expiry=_expiry(contract, body, now),
    )
    listing.product = replace(listing.product, contract=changed)


def _expiry(contract: Contract, body: MarketBody, now: datetime) -> datetime:
    if body.expires_in_s is not None:
        return now + timedelta(seconds=body.expires_in_s)
    return min(contract.expiry, now) if body.expire else contract.expiry


def _rates(both: Decimal | None, otherwise: MarginRates) -> MarginRates:
    return otherwise if both is None else MarginRates(long=both, short=both)


def _futures_json(venue: Venue) -> Json:
    desk = venue.desk
    account = desk.account(CUSTOMER)
    return {
        "summary": summary_feed(account),
        "margin_level": account.current.level.value,
        "margin_window": desk.window.value,
        "positions": [position_json(account, exposure, desk) for exposure in account.exposures],
    }


def _event_json(entry: JournalEntry, floor: Floor) -> Json:
    event = entry.event
    if isinstance(event, OrderChanged):
        order = floor.venue.orders[event.order_id]
        return {
            "accepted_at_ns": entry.accepted_at_ns,
            "at": timestamp(event.at),
            "event": event.event,
            "order_id": event.order_id,
            "client_order_id": order.request.client_order_id,
            "status": event.status.value,
        }
    if isinstance(event, CashMoved):
        return {
            "accepted_at_ns": entry.accepted_at_ns,
            "at": timestamp(event.at),
            "event": event.kind.value,
            "owner": event.owner,
            "product_id": event.product_id,
            "amount": text(event.amount),
            "balance": text(event.balance),
        }
    return {
        "accepted_at_ns": entry.accepted_at_ns,
        "at": timestamp(event.trade.at),
        "event": "filled",
        "trade_id": event.trade.trade_id,
        "order_ids": [fill.order_id for fill in event.fills],
        "price": text(event.trade.price),
        "size": text(event.trade.quantity),
    }


def _serving(answer: Callable[[bytes], Json]) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def serve(request: web.Request) -> web.Response:
        raw = await request.read()
        try:
            body, status = answer(raw), 200
        except Refused as refused:
            body, status = {"error": str(refused)}, refused.reply.status
        return web.Response(status=status, body=encode(body), content_type="application/json")

    return serve
