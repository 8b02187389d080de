"""Tokens, scopes, limits, bodies: how the venue says no."""

import json
import secrets
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from coinbase.jwt_generator import build_ws_jwt
from cryptography.hazmat.primitives.asymmetric import ec

PATH = "/api/v3/brokerage/accounts"
ORDERS = "/api/v3/brokerage/orders"


def a_token(sim: Any, key: dict[str, str], method: str = "GET", path: str = PATH, **changes: Any) -> str:
    now = int(time.time())
    claims = {
        "sub": key["name"],
        "iss": "cdp",
        "nbf": now,
        "exp": now + 120,
        "uri": f"{method} {sim.rest}{path}",
    } | changes
    claims = {name: value for name, value in claims.items() if value is not None}
    headers = {"kid": key["name"], "nonce": secrets.token_hex()}
    return jwt.encode(claims, key["privateKey"], algorithm="ES256", headers=headers)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


ACCEPTED: list[dict[str, Any]] = [
    {},
    {"iss": "coinbase-cloud", "aud": ["retail_rest_api_proxy"]},
    {"uri": None, "uris": [f"GET api.coinbase.com{PATH}"]},
    {"uri": f"GET api.coinbase.com{PATH}"},
    {"exp": 90},
]
"""Claims of a token; `nbf` and `exp` are seconds from the test on."""
REFUSED: list[dict[str, Any]] = [
    {"uri": None},
    {"uri": f"POST api.coinbase.com{PATH}"},
    {"uri": f"GET api.coinbase.com{PATH}?limit=1"},
    {"uri": f"GET evil.example{PATH}"},
    {"iss": "someone"},
    {"sub": "someone"},
    {"aud": ["elsewhere"]},
    {"nbf": 600, "exp": 660},
    {"nbf": -600, "exp": -500},
    {"nbf": -10, "exp": 111},
    {"exp": None},
]


def times_of(changes: dict[str, Any]) -> dict[str, int]:
    """Count a token's times from now: the list of cases may have been read many minutes ago."""
    now = int(time.time())
    return {name: now + changes[name] for name in ("nbf", "exp") if changes.get(name) is not None}


@pytest.mark.parametrize("changes", ACCEPTED)
def test_a_proper_token_is_accepted(sim: Any, key_of: Callable[..., Any], changes: dict[str, Any]) -> None:
    token = a_token(sim, key_of(sim.key_file), **changes | times_of(changes))

    assert sim.request("GET", PATH, params={"limit": 1}, headers=bearer(token)).status_code == 200


@pytest.mark.parametrize("changes", REFUSED)
def test_an_improper_token_is_401_in_plain_text(sim: Any, key_of: Callable[..., Any], changes: dict[str, Any]) -> None:
    token = a_token(sim, key_of(sim.key_file), **changes | times_of(changes))
    reply = sim.request("GET", PATH, headers=bearer(token))

    assert (reply.status_code, reply.text) == (401, "Unauthorized")


def test_a_foreign_signature_and_no_token_are_401(sim: Any, key_of: Callable[..., Any]) -> None:
    key = key_of(sim.key_file) | {"privateKey": ec.generate_private_key(ec.SECP256R1())}

    assert sim.request("GET", PATH, headers=bearer(a_token(sim, key))).status_code == 401
    assert sim.request("GET", PATH).status_code == 401
    assert sim.request("GET", PATH, headers={"CB-ACCESS-KEY": "legacy"}).status_code == 401


def test_the_bearer_need_not_be_the_signer(sim: Any, key_of: Callable[..., Any]) -> None:
    token = a_token(sim, key_of(sim.key_file))

    assert [sim.request("GET", PATH, headers=bearer(token)).status_code for _ in range(2)] == [200, 200]


def test_a_view_only_key_reads_but_does_not_trade(sim: Any) -> None:
    client = sim.client(sim.view_key_file)

    assert client.get_accounts().accounts
    assert client.get_api_key_permissions().can_trade is False
    with pytest.raises(Exception, match="Missing Required Scopes"):
        client.limit_order_gtc_buy("no", "BTC-USD", "1", "1")


def test_an_unknown_body_field_is_named(sim: Any, key_of: Callable[..., Any]) -> None:
    body = {
        "client_order_id": "x",
        "product_id": "BTC-USD",
        "side": "BUY",
        "order_configuration": {"limit_limit_gtc": {"base_size": "1", "limit_price": "1"}},
        "max_floor": "1",
    }
    token = a_token(sim, key_of(sim.key_file), "POST", ORDERS)

    reply = sim.request("POST", ORDERS, json=body, headers=bearer(token))

    assert reply.status_code == 400
    assert 'unknown field "max_floor"' in reply.json()["error_details"]


@pytest.mark.parametrize(
    "configuration",
    [
        {"limit_limit_gtc": {"base_size": "1e2", "limit_price": "1"}},
        {"limit_limit_gtc": {"base_size": "-1", "limit_price": "1"}},
        {"limit_limit_gtc": {"base_size": 1, "limit_price": "1"}},
        {"limit_limit_gtc": {"base_size": "1"}},
        {},
        {"limit_limit_gtc": {"base_size": "1", "limit_price": "1"}, "sor_limit_ioc": {}},
    ],
)
def test_a_malformed_configuration_is_an_invalid_argument(
    sim: Any, key_of: Callable[..., Any], configuration: dict[str, Any]
) -> None:
    body = {"client_order_id": "x", "product_id": "BTC-USD", "side": "BUY", "order_configuration": configuration}
    token = a_token(sim, key_of(sim.key_file), "POST", ORDERS)

    reply = sim.request("POST", ORDERS, json=body, headers=bearer(token))

    assert (reply.status_code, reply.json()["error"]) == (400, "INVALID_ARGUMENT")


def test_unknown_things_are_404(sim: Any, key_of: Callable[..., Any]) -> None:
    path = "/api/v3/brokerage/orders/historical/nothing"

    order = sim.request("GET", path, headers=bearer(a_token(sim, key_of(sim.key_file), path=path)))
    product = sim.request("GET", "/api/v3/brokerage/market/products/NOPE-USD")
    route = sim.request("GET", "/api/v3/brokerage/market/best_bid_ask")

    assert (order.status_code, order.json()["error_details"]) == (404, "order with this orderID was not found")
    assert (product.status_code, product.json()["message"]) == (404, "Product NOPE-USD not supported")
    assert (route.status_code, route.text) == (404, "Route Not Found")


def test_bad_parameters_are_400_and_bodies_are_compact(sim: Any) -> None:
    base = "/api/v3/brokerage/market/products/BTC-USD/candles"
    too_many = sim.request("GET", base, params={"start": "0", "end": "21600", "granularity": "ONE_MINUTE"})
    unknown = sim.request("GET", base, params={"start": "0", "end": "60", "granularity": "TWO_SECONDS"})

    assert "should be less than 350" in too_many.json()["message"]
    assert (too_many.status_code, unknown.status_code) == (400, 400)
    assert '": ' not in too_many.text


def test_more_than_100_cancels_are_refused(sim: Any, key_of: Callable[..., Any]) -> None:
    path = f"{ORDERS}/batch_cancel"
    token = a_token(sim, key_of(sim.key_file), "POST", path)

    reply = sim.request("POST", path, json={"order_ids": ["x"] * 101}, headers=bearer(token))

    assert (reply.status_code, reply.json()["error"]) == (400, "INVALID_ARGUMENT")


def test_too_many_requests_are_429_with_headers(start_sim: Callable[..., Any], key_of: Callable[..., Any]) -> None:
    sim = start_sim("--private-limit", "3")
    token = a_token(sim, key_of(sim.key_file))

    replies = [sim.request("GET", PATH, headers=bearer(token)) for _ in range(8)]

    limited = [reply for reply in replies if reply.status_code == 429]
    assert limited
    assert limited[0].json() == {"errors": [{"id": "rate_limit_exceeded", "message": "Too many requests"}]}
    assert limited[0].headers["x-ratelimit-remaining"] == "0"


def test_a_single_use_nonce_refuses_the_second_use(start_sim: Callable[..., Any], key_of: Callable[..., Any]) -> None:
    sim = start_sim("--single-use-nonce")
    token = a_token(sim, key_of(sim.key_file))

    assert [sim.request("GET", PATH, headers=bearer(token)).status_code for _ in range(2)] == [200, 401]


@pytest.mark.parametrize(
    ("kind", "can_trade", "can_transfer"),
    [("ed25519", True, False), ("view-only", False, False), ("with-transfer", True, True)],
)
def test_other_key_kinds(start_sim: Callable[..., Any], kind: str, can_trade: bool, can_transfer: bool) -> None:  # noqa: FBT001 -- parametrised
    permissions = start_sim("--key-kind", kind).client().get_api_key_permissions()

    assert (permissions.can_view, permissions.can_trade, permissions.can_transfer) == (True, can_trade, can_transfer)


def test_a_feed_token_opens_no_rest_route(sim: Any, key_of: Callable[..., Any]) -> None:
    key = key_of(sim.key_file)

    reply = sim.request("GET", PATH, headers=bearer(build_ws_jwt(key["name"], key["privateKey"])))

    assert reply.status_code == 401


def test_a_get_with_a_body_and_the_old_routes_are_answered(sim: Any) -> None:
    with_body = sim.request("GET", "/api/v3/brokerage/time", data=json.dumps({}))

    assert with_body.status_code == 200
    assert sim.request("GET", "/v2/time").json()["data"]["epoch"] > 0
    assert sim.request("GET", "/v2/exchange-rates").json()["data"]["rates"]["BTC"]
    assert sim.request("GET", "/v2/currencies").json()["data"][0]["id"] == "USD"
    assert sim.request("GET", "/v2/currencies/crypto").json()["data"][0]["code"] == "BTC"
