"""CDP key files as the vendor hands them out, and the public halves the venue keeps."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import orjson
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from gpt_trader.exchange_sim.adapters.tls import write_private


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
    """Generate a key pair and write the private half as a CDP key file."""
    private = (
        ed25519.Ed25519PrivateKey.generate() if kind is KeyKind.ED25519 else ec.generate_private_key(ec.SECP256R1())
    )
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    if isinstance(private, ec.EllipticCurvePrivateKey):
        pem = private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
    write_private(path, orjson.dumps({"name": name, "privateKey": pem.decode()}))
    return ApiKey(
        name=name,
        algorithm="EdDSA" if kind is KeyKind.ED25519 else "ES256",
        public_key=private.public_key(),
        scopes=_SCOPES[kind],
    )
