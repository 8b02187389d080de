"""Ed25519 over exact bytes: the gate signs what it approved, everybody can check with pinned keys."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from gpt_trader.runtime.secret_files import KeyUnusable, read_secret

_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class Signer:
    """Holds a private key; `key_id` tells verifiers which public key to take."""

    key_id: str
    _key: Ed25519PrivateKey

    @classmethod
    def load(cls, path: Path, *, key_id: str) -> Self:
        """Read a base64 seed from a file that only its owner may read."""
        return cls.of(read_secret(path), key_id=key_id, origin=str(path))

    @classmethod
    def of(cls, seed: str, *, key_id: str, origin: str) -> Self:
        """Take a base64 seed; `origin` names it in the message when it is none."""
        return cls(key_id, Ed25519PrivateKey.from_private_bytes(_key_bytes(seed, origin)))

    def sign(self, payload: bytes) -> str:
        """Sign exactly these bytes; base64."""
        return base64.b64encode(self._key.sign(payload)).decode()

    @property
    def public_key(self) -> str:
        """The base64 public key to pin."""
        return base64.b64encode(self._key.public_key().public_bytes_raw()).decode()


@dataclass(frozen=True, slots=True)
class Verifier:
    """Knows the pinned public keys by id; an unknown id is simply not valid."""

    _keys: Mapping[str, Ed25519PublicKey]

    @classmethod
    def pinned(cls, public_keys: Mapping[str, str]) -> Self:
        """Take base64 public keys by key id; raises KeyUnusable for one that is none."""
        return cls(
            {
                key_id: Ed25519PublicKey.from_public_bytes(_key_bytes(key, f"public key {key_id!r}"))
                for key_id, key in public_keys.items()
            }
        )

    def is_valid(self, payload: bytes, key_id: str, signature: str) -> bool:
        """Whether the pinned key of that id signed exactly these bytes."""
        key = self._keys.get(key_id)
        if key is None:
            return False
        try:
            key.verify(base64.b64decode(signature, validate=True), payload)
        except (InvalidSignature, ValueError):
            return False
        return True


def generate_seed() -> str:
    """Make a signing seed, base64, for `write_secret`."""
    return base64.b64encode(Ed25519PrivateKey.generate().private_bytes_raw()).decode()


def _key_bytes(text: str, source: str) -> bytes:
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise KeyUnusable(f"{source} is not base64: {error}") from error
    if len(raw) != _KEY_BYTES:
        raise KeyUnusable(f"{source} has {len(raw)} bytes: an Ed25519 key has {_KEY_BYTES}")
    return raw
