"""Which key files are taken, and that no message ever shows their content."""

import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from gpt_trader.risk_gate.adapters.jwt import Tokens
from gpt_trader.risk_gate.adapters.keyfile import ExchangeKey, load_exchange_key
from gpt_trader.runtime.secret_files import KeyUnusable

NAME = "organizations/7f0c/apiKeys/1b2d"
EC = ec.generate_private_key(ec.SECP256R1())
ED = ed25519.Ed25519PrivateKey.generate()
SEED = ED.private_bytes_raw()
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


class FixedClock:
    def now(self) -> datetime:
        raise AssertionError("tokens live in real time")

    def wall(self) -> datetime:
        return NOW

    def stretch(self, wall: timedelta) -> timedelta:
        return wall


def pem(key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey, *, sec1: bool = False) -> str:
    form = serialization.PrivateFormat.TraditionalOpenSSL if sec1 else serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


def a_key_file(folder: Path, content: object, mode: int = 0o600) -> Path:
    path = folder / "cdp_key.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    ("secret", "algorithm"),
    [
        (pem(EC, sec1=True), "ES256"),
        (pem(EC), "ES256"),
        (pem(EC, sec1=True).replace("\n", "\\n"), "ES256"),
        (pem(ED), "EdDSA"),
        (base64.b64encode(SEED).decode(), "EdDSA"),
        (base64.b64encode(SEED + ED.public_key().public_bytes_raw()).decode(), "EdDSA"),
    ],
    ids=["ec-sec1", "ec-pkcs8", "ec-escaped", "ed-pem", "ed-seed", "ed-pair"],
)
@pytest.mark.parametrize("field", ["name", "id"])
def test_every_spelling_of_a_cdp_key_signs(tmp_path: Path, secret: str, algorithm: str, field: str) -> None:
    key = load_exchange_key(a_key_file(tmp_path, {field: NAME, "privateKey": secret}))

    token = Tokens(key=key, host="api.coinbase.com", life=timedelta(seconds=15), clock=FixedClock()).for_feed()
    jwt.decode(
        token,
        (EC if algorithm == "ES256" else ED).public_key(),
        [algorithm],
        options={"verify_exp": False, "verify_nbf": False},
    )
    assert (key.name, key.algorithm) == (NAME, algorithm)


@pytest.mark.parametrize(
    "content",
    [
        {"apiKey": "k", "apiSecret": "s"},
        {"key": "0123456789abcdef0123456789abcdef", "secret": "c2VjcmV0", "passphrase": "p"},
        {"name": "AbCdEf0123456789", "privateKey": "abcdefghijklmnopqrstuvwxyz012345"},
        {"name": "0123456789abcdef0123456789abcdef", "privateKey": base64.b64encode(bytes(range(64))).decode()},
    ],
)
def test_a_legacy_key_is_recognised_and_refused(tmp_path: Path, content: dict[str, str]) -> None:
    with pytest.raises(KeyUnusable, match=r"cdp_key\.json is a legacy API key.*CDP portal"):
        load_exchange_key(a_key_file(tmp_path, content))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{not json", "not JSON"),
        ("[]", "no JSON object"),
        ({"privateKey": pem(EC)}, "'name'"),
        ({"name": NAME}, "'privateKey' is missing"),
        ({"name": NAME, "privateKey": 7}, "'privateKey' is missing or no text"),
        ({"name": NAME, "privateKey": "!hush-hush!"}, "neither PEM nor base64"),
        ({"name": NAME, "privateKey": "-----BEGIN EC PRIVATE KEY-----\nhush-hush\n"}, "not a readable"),
        ({"name": NAME, "privateKey": pem(ec.generate_private_key(ec.SECP384R1()))}, "neither an EC P-256"),
        ({"name": NAME, "privateKey": pem(rsa.generate_private_key(65537, 2048))}, "neither an EC P-256"),
    ],
)
def test_an_unusable_key_file_is_named_with_field_and_reason_only(tmp_path: Path, content: object, reason: str) -> None:
    with pytest.raises(KeyUnusable, match=reason) as refused:
        load_exchange_key(a_key_file(tmp_path, content))

    assert "cdp_key.json" in str(refused.value)
    assert "hush-hush" not in str(refused.value)


def test_a_key_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyUnusable, match="mode 0644"):
        load_exchange_key(a_key_file(tmp_path, {"name": NAME, "privateKey": pem(EC)}, mode=0o644))


def test_a_missing_key_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(KeyUnusable, match="nowhere"):
        load_exchange_key(tmp_path / "nowhere")


def test_a_key_never_prints_its_secret() -> None:
    key = ExchangeKey(name=NAME, algorithm="EdDSA", private=ED)

    assert "private" not in repr(key)


def test_a_request_token_opens_one_method_and_path_for_its_life() -> None:
    key = ExchangeKey(name=NAME, algorithm="ES256", private=EC)
    tokens = Tokens(key=key, host="api.coinbase.com", life=timedelta(seconds=15), clock=FixedClock())

    first, second = (tokens.for_request("GET", "/api/v3/brokerage/accounts") for _ in range(2))

    header, claims = jwt.get_unverified_header(first), jwt.decode(first, options={"verify_signature": False})
    assert claims == {
        "sub": NAME,
        "iss": "cdp",
        "nbf": int(NOW.timestamp()),
        "exp": int(NOW.timestamp()) + 15,
        "uri": "GET api.coinbase.com/api/v3/brokerage/accounts",
    }
    assert (header["kid"], header["alg"], header["typ"]) == (NAME, "ES256", "JWT")
    assert header["nonce"] != jwt.get_unverified_header(second)["nonce"]
    assert "uri" not in jwt.decode(tokens.for_feed(), options={"verify_signature": False})


def test_the_life_of_an_orders_token_counts_from_its_permit_however_late_it_is_signed() -> None:
    key = ExchangeKey(name=NAME, algorithm="ES256", private=EC)
    tokens = Tokens(key=key, host="api.coinbase.com", life=timedelta(seconds=15), clock=FixedClock())
    permitted_at = NOW - timedelta(seconds=40)

    token = tokens.for_request("POST", "/api/v3/brokerage/orders", permitted_at)

    claims = jwt.decode(token, options={"verify_signature": False, "verify_exp": False})
    assert claims["exp"] == int(permitted_at.timestamp()) + 15


@pytest.mark.parametrize("life", [timedelta(0), timedelta(seconds=121)])
def test_a_token_life_that_the_venue_would_refuse_is_refused_at_start(life: timedelta) -> None:
    with pytest.raises(ValueError, match="token life"):
        Tokens(key=ExchangeKey(name=NAME, algorithm="EdDSA", private=ED), host="x", life=life, clock=FixedClock())
