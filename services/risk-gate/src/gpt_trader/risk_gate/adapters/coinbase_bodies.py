"""Coinbase's requests, exactly as it wants them (reference: orders, create body); pure, unlike its neighbours."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from gpt_trader.contracts.forms import OrderForm
from gpt_trader.contracts.ids import ClientOrderId
from gpt_trader.contracts.signals import Side
from gpt_trader.risk_gate.domain.increments import floor_to, plain
from gpt_trader.risk_gate.domain.spelling import Change, NoBody, Ticket

_BUCKET = timedelta(minutes=5)
_KEYS: Mapping[OrderForm, str] = {
    OrderForm.LIMIT_IOC: "sor_limit_ioc",
    OrderForm.LIMIT_FOK: "limit_limit_fok",
    OrderForm.LIMIT_GTD: "limit_limit_gtd",
    OrderForm.LIMIT_GTC: "limit_limit_gtc",
    OrderForm.STOP_LIMIT_GTD: "stop_limit_stop_limit_gtd",
    OrderForm.STOP_LIMIT_GTC: "stop_limit_stop_limit_gtc",
    OrderForm.BRACKET_GTD: "trigger_bracket_gtd",
    OrderForm.BRACKET_GTC: "trigger_bracket_gtc",
    OrderForm.TWAP_GTD: "twap_limit_gtd",
}
"""A form's key in `order_configuration`. A market order is not among them: it is never sent."""


@dataclass(frozen=True, slots=True)
class CoinbaseBodies:
    """Implements Spelling: bytes as `requests` will send the parsed body again."""

    def create(self, ticket: Ticket, client_id: ClientOrderId | None) -> str:
        """Spell `POST /orders`, or its preview."""
        named = {} if client_id is None else {"client_order_id": client_id}
        form = ticket.shape.form
        if form not in _KEYS:
            raise NoBody(form)
        return json.dumps(
            {
                **named,
                "product_id": ticket.product,
                "side": ticket.side.value.upper(),
                "order_configuration": {_KEYS[form]: _terms(ticket)},
            }
        )

    def edit(self, change: Change) -> str:
        """Spell `POST /orders/edit`: the venue reads an omitted number as zero, so both are said."""
        trigger = {} if change.stop_price is None else {"stop_price": plain(change.stop_price)}
        return json.dumps(
            {
                "order_id": change.venue_order_id,
                "price": plain(change.limit_price),
                "size": plain(change.quantity),
                **trigger,
            }
        )


def _terms(ticket: Ticket) -> Mapping[str, str | bool]:
    terms: dict[str, str | bool] = {"base_size": plain(ticket.quantity), "limit_price": plain(ticket.limit_price)}
    for part in _PARTS[ticket.shape.form]:
        terms |= part(ticket)
    return terms


def _making(ticket: Ticket) -> Mapping[str, str | bool]:
    return {"post_only": ticket.shape.post_only}


def _ending(ticket: Ticket) -> Mapping[str, str | bool]:
    return {"end_time": _end(ticket)}


def _bracket(ticket: Ticket) -> Mapping[str, str | bool]:
    return {"stop_trigger_price": plain(_trigger(ticket))}


def _stop(ticket: Ticket) -> Mapping[str, str | bool]:
    direction = "STOP_DIRECTION_STOP_DOWN" if ticket.side is Side.SELL else "STOP_DIRECTION_STOP_UP"
    return {"stop_price": plain(_trigger(ticket)), "stop_direction": direction}


def _trigger(ticket: Ticket) -> Decimal:
    if ticket.stop_price is None:
        raise NoBody(f"{ticket.shape.form} without a stop price")
    return ticket.stop_price


def _end(ticket: Ticket) -> str:
    if ticket.shape.end_time is None:
        raise NoBody(f"{ticket.shape.form} without an end")
    return _spelled(ticket.shape.end_time)


def _buckets(ticket: Ticket) -> Mapping[str, str | bool]:
    """Cut a TWAP into equal parts of five minutes, the longest that the reference shows."""
    end = _end(ticket)
    count = max((ticket.shape.life or _BUCKET) // _BUCKET, 1)
    return {
        "start_time": _spelled(ticket.now),
        "end_time": end,
        "number_buckets": str(count),
        "bucket_size": plain(floor_to(ticket.quantity / count, ticket.increment)),
        "bucket_duration": f"{_BUCKET // timedelta(seconds=1)}s",
    }


def _spelled(at: datetime) -> str:
    """Write a UTC time as RFC 3339."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


_PARTS: Mapping[OrderForm, tuple[Callable[[Ticket], Mapping[str, str | bool]], ...]] = {
    OrderForm.LIMIT_IOC: (),
    OrderForm.LIMIT_FOK: (),
    OrderForm.LIMIT_GTD: (_ending, _making),
    OrderForm.LIMIT_GTC: (_making,),
    OrderForm.STOP_LIMIT_GTD: (_stop, _ending),
    OrderForm.STOP_LIMIT_GTC: (_stop,),
    OrderForm.BRACKET_GTD: (_bracket, _ending),
    OrderForm.BRACKET_GTC: (_bracket,),
    OrderForm.TWAP_GTD: (_buckets,),
}
"""What each form says beside size and limit."""
