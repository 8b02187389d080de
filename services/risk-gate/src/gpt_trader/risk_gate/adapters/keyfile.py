"""Read the venue's key file; whatever is wrong is said by file, field and reason, never by value."""

import base64
import binascii
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import orjson
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from gpt_trader.runtime.secret_files import KeyUnusable, read_secret

_SEED_BYTES = 32
_LEGACY_FIELDS = frozenset({"apiKey", "apiSecret", "api_key", "api_secret", "key", "secret", "passphrase"})
_LEGACY = (
    "is a legacy API key (HMAC or Exchange style): Advanced Trade needs a CDP key;"
    " create one in the CDP portal with view and trade rights and mount its JSON file"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeKey:
    """A CDP key: the only thing that can sign for the venue."""

    name: str
    algorithm: Literal["ES256", "EdDSA"]
    private: EllipticCurvePrivateKey | Ed25519PrivateKey = field(repr=False)


def load_exchange_key(path: Path) -> ExchangeKey:
    """Load a CDP key file; raises KeyUnusable naming file, field and reason."""
    fields = _fields(path)
    if "privateKey" not in fields and _LEGACY_FIELDS & fields.keys():
        raise KeyUnusable(f"key file {path} {_LEGACY}")
    name = fields.get("name") or fields.get("id")
    if not isinstance(name, str):
        raise KeyUnusable(f"key file {path}: field 'name' (or 'id') is missing or no text")
    secret = fields.get("privateKey")
    if not isinstance(secret, str) or not secret.strip():
        raise KeyUnusable(f"key file {path}: field 'privateKey' is missing or no text")
    if "-----BEGIN" in secret:
        return _from_pem(path, name, secret)
    return _from_base64(path, name, secret)


def _fields(path: Path) -> dict[str, object]:
    try:
        document = orjson.loads(read_secret(path))
    except KeyUnusable as error:
        raise KeyUnusable(
            f"venue key: {error}; put the CDP key's JSON file there (on Kubernetes: the Secret that"
            " venue.existingSecret names, key cdp_key.json)"
        ) from None
    except ValueError:
        # The parser's message may quote the content.
        raise KeyUnusable(f"key file {path}: is not JSON; expected fields 'name' and 'privateKey'") from None
    if not isinstance(document, dict):
        raise KeyUnusable(f"key file {path}: is no JSON object; expected fields 'name' and 'privateKey'")
    return document


def _from_pem(path: Path, name: str, secret: str) -> ExchangeKey:
    try:
        private = load_pem_private_key(secret.replace("\\n", "\n").encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise KeyUnusable(f"key file {path}: field 'privateKey' is not a readable, unencrypted PEM key") from None
    if isinstance(private, Ed25519PrivateKey):
        return ExchangeKey(name=name, algorithm="EdDSA", private=private)
    if isinstance(private, EllipticCurvePrivateKey) and isinstance(private.curve, SECP256R1):
        return ExchangeKey(name=name, algorithm="ES256", private=private)
    raise KeyUnusable(f"key file {path}: field 'privateKey' is neither an EC P-256 (ES256) nor an Ed25519 key")


def _from_base64(path: Path, name: str, secret: str) -> ExchangeKey:
    try:
        raw = base64.b64decode(secret.strip(), validate=True)
    except (binascii.Error, ValueError):
        raise KeyUnusable(f"key file {path}: field 'privateKey' is neither PEM nor base64") from None
    if len(raw) not in {_SEED_BYTES, 2 * _SEED_BYTES}:
        raise KeyUnusable(f"key file {path} {_LEGACY} (field 'privateKey' has {len(raw)} bytes, Ed25519 has 32 or 64)")
    private = Ed25519PrivateKey.from_private_bytes(raw[:_SEED_BYTES])
    if len(raw) > _SEED_BYTES and private.public_key().public_bytes_raw() != raw[_SEED_BYTES:]:
        raise KeyUnusable(f"key file {path} {_LEGACY} (field 'privateKey' is no Ed25519 seed with its public key)")
    return ExchangeKey(name=name, algorithm="EdDSA", private=private)
