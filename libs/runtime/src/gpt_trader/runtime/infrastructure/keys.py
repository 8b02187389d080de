"""Credentials: nkeys for the bus, passwords for the store; servers learn public keys and hashes only."""

import hashlib
import os
import secrets
from pathlib import Path

import nkeys

from gpt_trader.runtime.secret_files import read_secret, write_secret

_SEED_BYTES = 32


def create_nkey(path: Path) -> str:
    """Write a fresh user seed (0600) and return its public key."""
    seed: bytes = nkeys.encode_seed(os.urandom(_SEED_BYTES), nkeys.PREFIX_BYTE_USER)  # type: ignore[no-untyped-call] # has no types
    write_secret(path, seed.decode())
    return public_nkey(path)


def ensure_nkey(path: Path) -> str:
    """Return the public key of a seed file, which is made if it does not exist."""
    return public_nkey(path) if path.exists() else create_nkey(path)


def public_nkey(path: Path) -> str:
    """Return the public key of a seed file."""
    pair = nkeys.from_seed(bytearray(read_secret(path).encode()))  # type: ignore[no-untyped-call] # has no types
    try:
        return str(pair.public_key.decode())
    finally:
        pair.wipe()


def ensure_password(path: Path) -> str:
    """Return the SHA-256 of a password file, which is made if it does not exist."""
    if not path.exists():
        write_secret(path, secrets.token_urlsafe(_SEED_BYTES))
    return hashlib.sha256(read_secret(path).encode()).hexdigest()
