"""US futures as the venue writes them: product details, balance summary and positions."""

from datetime import datetime, timedelta
from decimal import Decimal

from gpt_trader.exchange_sim.adapters.rest.wire import Json, amount_of, ratio, text, timestamp
from gpt_trader.exchange_sim.domain.contracts import Contract, MarginRates
from gpt_trader.exchange_sim.domain.desk import USD, FuturesDesk
from gpt_trader.exchange_sim.domain.listing import Listing
from gpt_trader.exchange_sim.domain.margin import Exposure, FuturesAccount, MarginMeasure
from gpt_trader.exchange_sim.domain.orders import CUSTOMER
from gpt_trader.exchange_sim.domain.sessions import next_funding, session_at

_CENT = Decimal("0.01")
_MILLISECOND = timedelta(milliseconds=1)


def future_json(listing: Listing, contract: Contract, now: datetime) -> Json:
    """Render the fields in which a futures product differs from a spot product."""
    return {
        "base_name": "",
        "status": "",
        "product_type": "FUTURE",
        "product_venue": "FCM",
        "base_currency_id": "",
        "base_display_symbol": "",
        "display_name": _display_name(contract),
        "fcm_trading_session_details": _session_json(contract, now),
        "future_product_details": _details_json(listing, contract, now),
    }


def _display_name(contract: Contract) -> str:
    if contract.is_perpetual_style:
        return f"{contract.root} PERP"
    return f"{contract.root} {contract.expiry:%d %b %y}".upper()


def _session_json(contract: Contract, now: datetime) -> Json:
    session = session_at(now)
    is_open = contract.is_open(now)
    pause = "FCM_TRADING_SESSION_CLOSED_REASON_EXCHANGE_MAINTENANCE"
    reason = "FCM_TRADING_SESSION_CLOSED_REASON_REGULAR_MARKET_CLOSE" if contract.is_expired(now) else pause
    return {
        "is_session_open": is_open,
        "open_time": timestamp(session.opens_at),
        "close_time": timestamp(min(session.closes_at, contract.expiry)),
        "session_state": f"FCM_TRADING_SESSION_STATE_{'OPEN' if is_open else 'CLOSE'}",
        "after_hours_order_entry_disabled": True,
        "closed_reason": "FCM_TRADING_SESSION_CLOSED_REASON_UNDEFINED" if is_open else reason,
        "maintenance": {
            "start_time": timestamp(session.maintenance_start),
            "end_time": timestamp(session.maintenance_end),
        },
    }


def _details_json(listing: Listing, contract: Contract, now: datetime) -> Json:
    funding_rate = text(contract.funding_rate) if contract.is_perpetual_style else ""
    funding_time = timestamp(next_funding(now)) if contract.is_perpetual_style else None
    return {
        "venue": "cde",
        "contract_code": contract.code,
        "contract_expiry": timestamp(contract.expiry),
        "contract_size": text(contract.size),
        "contract_root_unit": contract.root,
        "group_description": f"{contract.root} Futures",
        "group_short_description": contract.root,
        "contract_expiry_timezone": "Europe/London",
        "contract_expiry_name": contract.expiry.strftime("%d %b %y").upper(),
        "contract_display_name": _display_name(contract),
        "risk_managed_by": "MANAGED_BY_FCM",
        "contract_expiry_type": "EXPIRING",
        "perpetual_details": {"open_interest": "0", "funding_rate": "", "funding_time": None, "max_leverage": ""},
        "time_to_expiry_ms": str(max((contract.expiry - now) // _MILLISECOND, 0)),
        "non_crypto": False,
        "twenty_four_by_seven": True,
        "funding_interval": "3600s" if contract.is_perpetual_style else "0s",
        "funding_rate": funding_rate,
        "funding_time": funding_time,
        "open_interest": "0",
        "intraday_margin_rate": _rates_json(contract.intraday),
        "overnight_margin_rate": _rates_json(contract.overnight),
        "settlement_price": text(listing.settlement),
        "index_price": text(listing.last_or_start()),
        "futures_asset_type": "FUTURES_ASSET_TYPE_CRYPTO",
    }


def _rates_json(rates: MarginRates) -> Json:
    return {"long_margin_rate": text(rates.long), "short_margin_rate": text(rates.short)}


def summary_amounts(account: FuturesAccount) -> dict[str, Decimal]:
    """Name the amounts of a balance summary."""
    current = account.current
    return {
        "futures_buying_power": account.buying_power(current),
        "total_usd_balance": account.spot_total + account.cash,
        "cbi_usd_balance": account.spot_total,
        "cfm_usd_balance": account.cash,
        "total_open_orders_hold_amount": account.held,
        "unrealized_pnl": account.unrealized,
        "daily_realized_pnl": account.realized_today,
        "initial_margin": current.initial,
        "available_margin": current.available,
        "liquidation_threshold": current.maintenance,
        "liquidation_buffer_amount": current.buffer,
    }


def summary_rest(account: FuturesAccount) -> Json:
    """Render the balance summary of the REST API."""
    amounts: Json = {name: amount_of(amount, USD) for name, amount in summary_amounts(account).items()}
    return {**amounts, **_measures(account)}


def summary_feed(account: FuturesAccount) -> Json:
    """Render the balance summary of the feed: plain strings."""
    amounts: Json = {name: text(amount) for name, amount in summary_amounts(account).items()}
    return {**amounts, **_measures(account)}


def _measures(account: FuturesAccount) -> Json:
    return {
        "liquidation_buffer_percentage": text(account.current.buffer_percentage),
        "intraday_margin_window_measure": _measure_json(account, account.intraday),
        "overnight_margin_window_measure": _measure_json(account, account.overnight),
    }


def _measure_json(account: FuturesAccount, measure: MarginMeasure) -> Json:
    return {
        "margin_window_type": measure.window.value,
        "margin_level": measure.level.value,
        "initial_margin": text(measure.initial),
        "maintenance_margin": text(measure.maintenance),
        "liquidation_buffer_percentage": text(measure.buffer_percentage),
        "liquidation_buffer": text(measure.buffer),
        "total_hold": text(measure.held),
        "futures_buying_power": text(account.buying_power(measure)),
    }


def position_json(account: FuturesAccount, exposure: Exposure, desk: FuturesDesk) -> Json:
    """Render a position of the REST API."""
    position = exposure.position
    initial = exposure.initial(is_intraday=account.is_intraday)
    entry = text(ratio(position.entry, Decimal(1)))
    return {
        "product_id": exposure.product_id,
        "expiration_time": timestamp(exposure.expiry),
        "side": "LONG" if position.is_long else "SHORT",
        "number_of_contracts": text(abs(position.contracts)),
        "current_price": text(exposure.mark),
        "avg_entry_price": entry,
        "unrealized_pnl": text(position.unrealized(exposure.mark)),
        "daily_realized_pnl": text(desk.realized_today(CUSTOMER, exposure.product_id)),
        "total_fees": text(position.fees),
        "contract_size": text(position.size),
        "entry_vwap": entry,
        "liquidation_price": text(account.liquidation_price(exposure).quantize(_CENT)),
        "leverage": text(ratio(exposure.notional, account.equity, "0.01")),
        "im_contribution": text(initial),
        "mm_contribution": text(exposure.maintenance(is_intraday=account.is_intraday)),
        "position_notional": text(exposure.notional),
    }


def feed_position_json(exposure: Exposure, desk: FuturesDesk) -> Json:
    """Render a position of the user feed."""
    position = exposure.position
    return {
        "product_id": exposure.product_id,
        "side": "LONG" if position.is_long else "SHORT",
        "number_of_contracts": text(abs(position.contracts)),
        "realized_pnl": text(desk.realized_today(CUSTOMER, exposure.product_id)),
        "unrealized_pnl": text(position.unrealized(exposure.mark)),
        "entry_price": text(ratio(position.entry, Decimal(1))),
    }


def portfolio_position_json(exposure: Exposure, contract: Contract) -> Json:
    """Render a position of the portfolio breakdown."""
    position = exposure.position
    return {
        "product_id": exposure.product_id,
        "contract_size": text(position.size),
        "side": f"FUTURES_POSITION_SIDE_{'LONG' if position.is_long else 'SHORT'}",
        "amount": text(abs(position.contracts)),
        "avg_entry_price": text(ratio(position.entry, Decimal(1))),
        "current_price": text(exposure.mark),
        "unrealized_pnl": text(position.unrealized(exposure.mark)),
        "expiry": timestamp(contract.expiry),
        "underlying_asset": contract.root,
        "asset_img_url": "",
        "product_name": _display_name(contract),
        "venue": "cde",
        "notional_value": text(exposure.notional),
    }
