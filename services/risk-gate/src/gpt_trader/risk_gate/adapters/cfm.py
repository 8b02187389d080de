"""The venue's `/cfm` answers in our words: amounts as objects or as text, positions in base units."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from gpt_trader.risk_gate.adapters.parse import Json, NotUnderstood, as_object, decimal, document, objects, text
from gpt_trader.risk_gate.domain.futures.account import MarginWindow, VenuePosition

_WINDOW = "FCM_MARGIN_WINDOW_TYPE_"
_SETTINGS = {"INTRADAY_MARGIN_SETTING_STANDARD": False, "INTRADAY_MARGIN_SETTING_INTRADAY": True}
_SIGNS = {"LONG": 1, "SHORT": -1}


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What `balance_summary` says of the futures wallet."""

    cash: Decimal
    initial: Decimal
    maintenance: Decimal


def summary(body: bytes) -> Summary:
    """Read `cfm/balance_summary`."""
    found = as_object(document(body), "balance_summary")
    return Summary(
        cash=_amount(found, "cfm_usd_balance"),
        initial=_amount(found, "initial_margin"),
        maintenance=_amount(found, "liquidation_threshold"),
    )


def positions(body: bytes, sizes: Mapping[str, Decimal]) -> tuple[VenuePosition, ...]:
    """Read `cfm/positions`; `sizes` are contract sizes by product, for answers that leave them out."""
    return tuple(_position(entry, sizes) for entry in objects(document(body), "positions"))


def window(body: bytes) -> tuple[MarginWindow, datetime]:
    """Read `cfm/intraday/current_margin_window`: which one it is, and when it ends."""
    found = as_object(document(body), "margin_window")
    spelled = text(found, "margin_window_type")
    try:
        kind = MarginWindow(spelled.removeprefix(_WINDOW).lower())
        ends_at = datetime.fromisoformat(text(found, "end_time"))
    except ValueError as error:
        raise NotUnderstood(f"margin_window: {error}") from None
    if ends_at.tzinfo is None:
        raise NotUnderstood("margin_window.end_time: has no UTC offset")
    return kind, ends_at.astimezone(UTC)


def has_intraday_rates(body: bytes) -> bool:
    """Read `cfm/intraday/margin_setting`."""
    setting = text(document(body), "setting")
    if setting not in _SETTINGS:
        raise NotUnderstood(f"setting: {setting!r} is not known")
    return _SETTINGS[setting]


def _position(entry: Json, sizes: Mapping[str, Decimal]) -> VenuePosition:
    product, side = text(entry, "product_id"), text(entry, "side").removeprefix("FUTURES_POSITION_SIDE_")
    size = _amount(entry, "contract_size") if entry.get("contract_size") else sizes.get(product)
    if size is None or side not in _SIGNS:
        raise NotUnderstood(f"position {product}: side {side!r}, contract size {size}")
    return VenuePosition(
        product=product,
        quantity=_amount(entry, "number_of_contracts") * size * _SIGNS[side],
        price=_amount(entry, "current_price"),
        unrealized=_amount(entry, "unrealized_pnl"),
    )


def _amount(fields: Json, name: str) -> Decimal:
    """Return an amount, whichever way it is written: text, or an object with a value."""
    return decimal(fields, name) if isinstance(fields.get(name), str) else decimal(as_object(fields, name), "value")
