"""What each finding of the preflight says: what blocks, what only warns, and what the operator is told."""

from datetime import timedelta

import pytest
from gate_builders import D, a_policy

from gpt_trader.risk_gate.domain.preflight import (
    Finding,
    Result,
    blocks,
    of_balance,
    of_clock,
    of_disk,
    of_key,
    of_policy,
    of_products,
)
from gpt_trader.risk_gate.domain.venue import Balance, KeyPermissions, ProductRules


def a_key(*, view: bool = True, trade: bool = True, transfer: bool = False, kind: str = "DEFAULT") -> KeyPermissions:
    return KeyPermissions(can_view=view, can_trade=trade, can_transfer=transfer, portfolio_id="p", portfolio_type=kind)


def test_a_key_of_the_retired_venue_is_refused_with_the_explanation() -> None:
    found = of_key(a_key(kind="INTX"))

    assert found.result is Result.FAILED
    assert "INTX perpetuals left Advanced Trade on 2026-10-01" in found.advice


@pytest.mark.parametrize("key", [a_key(transfer=True), a_key(view=False), a_key(trade=False)])
def test_a_key_with_too_much_or_too_little_is_refused(key: KeyPermissions) -> None:
    assert of_key(key).result is Result.FAILED


def test_a_key_that_views_and_trades_passes() -> None:
    assert of_key(a_key()) == Finding("key scopes", Result.OK, "may view, trade")


@pytest.mark.parametrize("sign", [-1, 1])
def test_a_clock_may_be_150_ms_off_and_not_one_more_where_it_is_live(sign: int) -> None:
    at, over = (sign * timedelta(milliseconds=limit) for limit in (150, 151))

    assert of_clock(at, is_live=True).result is Result.OK
    assert of_clock(over, is_live=True).result is Result.FAILED
    assert of_clock(over, is_live=False).result is Result.WARNING


def test_live_needs_a_hundred_of_the_quote_currency() -> None:
    held = [Balance(currency="USD", total=D(100), hold=D(0)), Balance(currency="BTC", total=D(5), hold=D(0))]
    short = [Balance(currency="USD", total=D("99.99"), hold=D(0)), held[1]]

    assert of_balance(held, "USD", is_live=True).result is Result.OK
    assert of_balance(short, "USD", is_live=True).result is Result.FAILED
    assert of_balance(short, "USD", is_live=False).result is Result.WARNING
    assert of_balance([], "USD", is_live=True).result is Result.FAILED


def test_the_limits_of_the_demo_are_not_for_real_money() -> None:
    assert of_policy(a_policy("demo"), is_live=True).result is Result.FAILED
    assert of_policy(a_policy("demo"), is_live=False).result is Result.OK
    assert of_policy(a_policy("canary"), is_live=True).result is Result.OK


def test_a_full_or_slow_disk_is_refused() -> None:
    second = timedelta(seconds=1)

    assert of_disk(10, 10, second, second).result is Result.OK
    assert of_disk(9, 10, second, second).result is Result.FAILED
    assert of_disk(10, 10, second * 2, second).result is Result.FAILED


def test_a_policy_needs_a_product_it_could_order_and_is_told_of_caps_on_none() -> None:
    def rules(product: str, minimum: int, *, is_tradable: bool = True) -> ProductRules:
        quote = product.partition("-")[2]
        return ProductRules(product=product, quote_currency=quote, quote_min_size=D(minimum), is_tradable=is_tradable)

    policy = a_policy(limits__max_order_notional=100, sizing__max_quantities={"BTC-USD": 1})

    assert of_products([rules("BTC-USD", 100)], policy).result is Result.OK
    assert of_products([rules("ETH-USD", 100)], policy).result is Result.WARNING
    for useless in (rules("BTC-USD", 101), rules("BTC-EUR", 1), rules("BTC-USD", 1, is_tradable=False)):
        assert of_products([useless], policy).result is Result.FAILED
    assert of_products([], policy).result is Result.FAILED


def test_only_what_failed_blocks() -> None:
    warned = of_clock(timedelta(seconds=1), is_live=False)

    assert not blocks([warned])
    assert blocks([warned, of_key(a_key(transfer=True))])
