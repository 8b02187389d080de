"""CDP key files as the vendor hands them out, and the public halves the venue keeps."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import orjson
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from gpt_trader.exchange_sim.adapters.tls import write_private
from gpt_trader.exchange_sim.ports import CannotStart


class Scope(StrEnum):
    """What a key may do."""

    VIEW = "view"
    TRADE = "trade"
    TRANSFER = "transfer"


class KeyKind(StrEnum):
    """Which key the venue hands to the trader."""

    ES256 = "es256"
    ED25519 = "ed25519"
    VIEW_ONLY = "view-only"
    WITH_TRANSFER = "with-transfer"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A registered key."""

    name: str
    algorithm: str
    public_key: ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey
    scopes: frozenset[Scope]


_SCOPES = {
    KeyKind.ES256: frozenset({Scope.VIEW, Scope.TRADE}),
    KeyKind.ED25519: frozenset({Scope.VIEW, Scope.TRADE}),
    KeyKind.VIEW_ONLY: frozenset({Scope.VIEW}),
    KeyKind.WITH_TRANSFER: frozenset(Scope),
}


def issue_key(kind: KeyKind, name: str, path: Path) -> ApiKey:
    """Write a CDP key file, or keep the one that is there, whatever its name: clients hold it already."""
    if not path.exists():
        write_private(path, orjson.dumps({"name": name, "privateKey": _pem(kind)}))
    try:
        content = orjson.loads(path.read_bytes())
        known_as = str(content["name"])
        private = serialization.load_pem_private_key(content["privateKey"].encode(), None)
    except (OSError, ValueError, KeyError) as error:
        raise CannotStart(f"{path}: not a key file: {error}") from error
    public = private.public_key()
    is_edwards = isinstance(public, ed25519.Ed25519PublicKey)
    if is_edwards != (kind is KeyKind.ED25519) or not isinstance(
        public, ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey
    ):
        raise CannotStart(
            f"{path}: the key there is not of --key-kind {kind.value}; remove the file to get a fresh one"
        )
    return ApiKey(name=known_as, algorithm="EdDSA" if is_edwards else "ES256", public_key=public, scopes=_SCOPES[kind])


def _pem(kind: KeyKind) -> str:
    encoding, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    if kind is KeyKind.ED25519:
        private = ed25519.Ed25519PrivateKey.generate()
        return private.private_bytes(encoding, serialization.PrivateFormat.PKCS8, plain).decode()
    curve_key = ec.generate_private_key(ec.SECP256R1())
    return curve_key.private_bytes(encoding, serialization.PrivateFormat.TraditionalOpenSSL, plain).decode()
