"""Bodies clients send, parsed as strictly as the venue does."""

import re
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from gpt_trader.exchange_sim.adapters.rest.wire import invalid, parse_instant
from gpt_trader.exchange_sim.domain.margin import MarginSetting
from gpt_trader.exchange_sim.domain.orders import CUSTOMER, OrderKind, OrderRequest, Side, StopDirection, Terms

_PLAIN_NUMBER = re.compile(r"\d{1,20}(\.\d{0,20})?|\.\d{1,20}")


def _amount(value: object) -> Decimal:
    if not isinstance(value, str) or not _PLAIN_NUMBER.fullmatch(value):
        raise ValueError(f"{value!r} is not a decimal string without sign or exponent")
    return Decimal(value)


def _instant(value: object) -> datetime:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not an RFC 3339 time")  # noqa: TRY004 -- pydantic collects ValueError
    return parse_instant(value)


Amount = Annotated[Decimal, BeforeValidator(_amount)]
Instant = Annotated[datetime, BeforeValidator(_instant)]


class Body(BaseModel):
    """Unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Configuration(Body):
    """Fields of any one order configuration; the venue checks their combination."""

    base_size: Amount | None = None
    quote_size: Amount | None = None
    limit_price: Amount | None = None
    stop_price: Amount | None = None
    stop_trigger_price: Amount | None = None
    stop_direction: StopDirection | None = None
    end_time: Instant | None = None
    post_only: bool = False
    rfq_disabled: bool = False
    reduce_only: bool = False


class OrderConfiguration(Body):
    """Exactly one of the venue's configurations; the last two are known and refused whatever they say."""

    market_market_ioc: Configuration | None = None
    market_market_fok: Configuration | None = None
    sor_limit_ioc: Configuration | None = None
    limit_limit_gtc: Configuration | None = None
    limit_limit_gtd: Configuration | None = None
    limit_limit_fok: Configuration | None = None
    stop_limit_stop_limit_gtc: Configuration | None = None
    stop_limit_stop_limit_gtd: Configuration | None = None
    trigger_bracket_gtc: Configuration | None = None
    trigger_bracket_gtd: Configuration | None = None
    twap_limit_gtd: dict[str, object] | None = None
    scaled_limit_gtc: dict[str, object] | None = None


class PreviewBody(Body):
    """POST /orders/preview."""

    product_id: str
    side: Side
    order_configuration: OrderConfiguration
    leverage: str | None = None
    margin_type: str | None = None
    retail_portfolio_id: str | None = None
    attached_order_configuration: OrderConfiguration | None = None
    sor_preference: str | None = None
    cost_basis_method: str | None = None


class CreateBody(PreviewBody):
    """POST /orders."""

    client_order_id: str = Field(min_length=1, max_length=128)
    preview_id: str | None = None
    self_trade_prevention_id: str | None = None


class EditBody(Body):
    """POST /orders/edit and /orders/edit_preview; an omitted number reads as zero."""

    order_id: str
    price: Amount = Decimal(0)
    size: Amount = Decimal(0)
    stop_price: Amount | None = None


class CancelBody(Body):
    """POST /orders/batch_cancel."""

    order_ids: list[str]


class ClosePositionBody(Body):
    """POST /orders/close_position; without a size the whole position is meant."""

    client_order_id: str = Field(min_length=1, max_length=128)
    product_id: str
    size: Amount | None = None


class MarginSettingBody(Body):
    """POST /cfm/intraday/margin_setting."""

    setting: MarginSetting


class SweepBody(Body):
    """POST /cfm/sweeps/schedule; an empty amount means all."""

    usd_amount: Amount | Literal[""] | None = None


def request_of(body: PreviewBody, client_order_id: str, owner: str = CUSTOMER) -> OrderRequest:
    """Turn a body into the venue's request."""
    attached = body.attached_order_configuration
    return OrderRequest(
        client_order_id=client_order_id,
        product_id=body.product_id,
        side=body.side,
        terms=_terms(body.order_configuration),
        attached=None if attached is None else _terms(attached),
        owner=owner,
        is_isolated=body.margin_type == "ISOLATED",
        is_reduce_only=_is_reduce_only(body.order_configuration),
    )


def _is_reduce_only(configuration: OrderConfiguration) -> bool:
    return any(isinstance(fields, Configuration) and fields.reduce_only for _, fields in configuration)


def _terms(configuration: OrderConfiguration) -> Terms:
    given = configuration.model_fields_set
    if len(given) != 1:
        raise invalid(f"order_configuration: exactly one configuration is required, got {sorted(given)}")
    kind = OrderKind(next(iter(given)))
    for name, fields in configuration:
        if name == kind.value and isinstance(fields, Configuration):
            return _known_terms(kind, fields)
    return Terms(kind=kind)


def _known_terms(kind: OrderKind, fields: Configuration) -> Terms:
    is_market = kind in {OrderKind.MARKET_IOC, OrderKind.MARKET_FOK}
    if not is_market and fields.limit_price is None:
        raise invalid("order_configuration: limit_price is required")
    needs_stop = "stop" in kind or "bracket" in kind
    stop = fields.stop_trigger_price if "bracket" in kind else fields.stop_price
    if needs_stop and stop is None:
        raise invalid("order_configuration: the stop price is required")
    if "stop_limit" in kind and fields.stop_direction is None:
        raise invalid("order_configuration: stop_direction is required")
    return Terms(
        kind=kind,
        base_size=fields.base_size,
        quote_size=fields.quote_size,
        limit_price=fields.limit_price,
        stop_price=stop,
        stop_direction=fields.stop_direction,
        end_time=fields.end_time,
        post_only=fields.post_only,
    )
