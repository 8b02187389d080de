"""Credentials: nkeys for the bus, passwords for the store; servers learn public keys and hashes only."""

import hashlib
import os
import secrets
from pathlib import Path

import nkeys

from gpt_trader.runtime.secret_files import KeyUnusable, read_secret, write_secret

_SEED_BYTES = 32


def fresh_seed() -> str:
    """Return a user seed that nobody has."""
    seed: bytes = nkeys.encode_seed(os.urandom(_SEED_BYTES), nkeys.PREFIX_BYTE_USER)  # type: ignore[no-untyped-call] # has no types
    return seed.decode()


def fresh_password() -> str:
    """Return a password that nobody can guess."""
    return secrets.token_urlsafe(_SEED_BYTES)


def hash_of(password: str) -> str:
    """Return the SHA-256 under which the store server knows a password."""
    return hashlib.sha256(password.encode()).hexdigest()


def create_nkey(path: Path) -> str:
    """Write a fresh user seed (0600) and return its public key."""
    write_secret(path, fresh_seed())
    return public_nkey(path)


def ensure_nkey(path: Path) -> str:
    """Return the public key of a seed file, which is made if it does not exist."""
    return public_nkey(path) if path.exists() else create_nkey(path)


def public_nkey(path: Path) -> str:
    """Return the public key of a seed file; raises KeyUnusable naming it."""
    seed = read_secret(path)
    try:
        return public_of(seed)
    except KeyUnusable as error:
        raise KeyUnusable(f"secret file {path} {error}") from None


def public_of(seed: str) -> str:
    """Return the public key of a seed; raises KeyUnusable for a text that is none, which it does not repeat."""
    try:
        pair = nkeys.from_seed(bytearray(seed.encode()))  # type: ignore[no-untyped-call] # has no types
    except nkeys.NkeysError:
        raise KeyUnusable("is no nkey seed (SU…)") from None
    try:
        return str(pair.public_key.decode())
    finally:
        pair.wipe()


def ensure_password(path: Path) -> str:
    """Return the SHA-256 of a password file, which is made if it does not exist."""
    if not path.exists():
        write_secret(path, fresh_password())
    return hash_of(read_secret(path))
