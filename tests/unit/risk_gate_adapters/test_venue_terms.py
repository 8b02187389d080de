"""The venue's listing of a product becomes terms in base currency, or is refused by the field's name."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from gpt_trader.risk_gate.adapters.parse import NotUnderstood
from gpt_trader.risk_gate.adapters.venue_terms import product_terms, taker_rate

D = Decimal
RATES = {"long_margin_rate": "0.1", "short_margin_rate": "0.12"}
DETAILS: dict[str, Any] = {
    "contract_size": "0.01",
    "contract_expiry": "2030-12-20T16:00:00Z",
    "intraday_margin_rate": RATES,
    "overnight_margin_rate": {"long_margin_rate": "0.2", "short_margin_rate": "0.24"},
    "funding_rate": "",
}


FLAGS = ("is_disabled", "trading_disabled", "view_only", "cancel_only", "limit_only", "post_only", "auction_mode")


def an_entry(**changes: Any) -> dict[str, Any]:
    return {
        "product_id": "BTC-USD",
        "product_type": "SPOT",
        "quote_currency_id": "USD",
        "base_increment": "0.00000001",
        "price_increment": "0.01",
        "base_min_size": "0.00001",
        "base_max_size": "3400",
        "quote_min_size": "1",
        **dict.fromkeys(FLAGS, False),
        "status": "online",
        "fcm_trading_session_details": None,
        "future_product_details": None,
        **changes,
    }


def a_future(**changes: Any) -> dict[str, Any]:
    return an_entry(
        product_id="BIP-20DEC30-CDE",
        product_type="FUTURE",
        base_increment="1",
        base_min_size="1",
        base_max_size="500",
        future_product_details=DETAILS | changes,
    )


def test_a_spot_product_is_read_as_it_is() -> None:
    terms = product_terms(an_entry(), D("0.009"))

    assert (terms.product, terms.kind, terms.future, terms.taker_rate) == ("BTC-USD", "spot", None, D("0.009"))
    assert (terms.base_increment, terms.price_increment) == (D("0.00000001"), D("0.01"))
    assert (terms.base_min_size, terms.base_max_size, terms.quote_min_size) == (D("0.00001"), D(3400), D(1))
    assert terms.is_current


def test_a_future_is_turned_from_contracts_into_base_currency() -> None:
    terms = product_terms(a_future(), D("0.001"))

    assert terms.future is not None
    assert (terms.kind, terms.base_increment, terms.base_max_size) == ("future", D("0.01"), D(5))
    assert terms.future.expires_at == datetime(2030, 12, 20, 16, tzinfo=UTC)
    assert (terms.future.intraday_margin_short, terms.future.overnight_margin_long) == (D("0.12"), D("0.2"))
    assert terms.future.funding_rate is None


@pytest.mark.parametrize(
    ("change", "flag"),
    [
        ({"is_disabled": True}, "is_disabled"),
        ({"trading_disabled": True}, "is_disabled"),
        ({"view_only": True}, "is_disabled"),
        ({"status": "delisted"}, "is_disabled"),
        ({"fcm_trading_session_details": {"is_session_open": False}}, "is_disabled"),
        ({"cancel_only": True}, "is_cancel_only"),
        ({"limit_only": True}, "is_limit_only"),
        ({"post_only": True}, "is_post_only"),
        ({"auction_mode": True}, "is_auction"),
    ],
)
def test_a_status_of_the_venue_is_one_flag_and_no_other(change: dict[str, Any], flag: str) -> None:
    terms = product_terms(an_entry(**change), D("0.009")).model_dump()

    stated = ("is_disabled", "is_cancel_only", "is_limit_only", "is_post_only", "is_auction")
    assert [name for name in stated if terms[name]] == [flag]


@pytest.mark.parametrize(
    "entry",
    [
        an_entry(base_increment="0"),
        an_entry(price_increment="NaN"),
        an_entry(base_max_size="1E+9999999"),
        an_entry(base_min_size="-1E-9999999"),
        an_entry(product_type="PERPETUAL"),
        an_entry(product_id="btc"),
        {name: value for name, value in an_entry().items() if name != "base_min_size"},
        {name: value for name, value in an_entry().items() if name != "cancel_only"},
        an_entry(trading_disabled="no"),
        an_entry(fcm_trading_session_details={}),
        a_future(contract_size="0"),
        a_future(contract_size="-1"),
        a_future(contract_size="1E+999999"),
        a_future(contract_expiry="soon"),
        a_future(contract_expiry="2030-12-20T16:00:00"),
        a_future(intraday_margin_rate={"long_margin_rate": "2", "short_margin_rate": "0.1"}),
        an_entry(product_type="FUTURE"),
    ],
)
def test_terms_that_can_not_be_true_are_not_understood(entry: dict[str, Any]) -> None:
    with pytest.raises(NotUnderstood):
        product_terms(entry, D("0.009"))


def test_the_fee_is_that_of_a_taker_in_our_tier() -> None:
    assert taker_rate(b'{"fee_tier": {"taker_fee_rate": "0.009", "maker_fee_rate": "0.005"}}') == D("0.009")
    with pytest.raises(NotUnderstood, match="fee_tier"):
        taker_rate(b"{}")
