"""Which Secrets a release has and what is in each: private halves are kept, everything else follows from them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import orjson
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from gpt_trader.console.stack.certificates import issue
from gpt_trader.console.stack.secrets import GATE_KEY_ID
from gpt_trader.contracts.subjects import Zone
from gpt_trader.runtime.infrastructure import redis_config
from gpt_trader.runtime.infrastructure.keys import fresh_password, fresh_seed, hash_of, public_of
from gpt_trader.runtime.secret_files import KeyUnusable
from gpt_trader.runtime.signing import Signer, generate_seed

Content = Mapping[str, str]
"""A Secret's keys and values."""

SEED = "seed"
GATE = "gate"
PUBLIC = "public"
BUS_SERVER = "bus-server"
REDIS_SERVER = "redis-server"
REDIS_OPERATOR = "redis-operator"
EXCHANGE = "exchange-sim"
VENUE_KEY = "venue-key"

_SERVERS = ("provisioner", "system")
_STORE_GATE = "risk-gate"
_STORE_PEOPLE = ("operator", redis_config.PROVISIONER)
_KEYS: Mapping[str, tuple[str, ...]] = {
    GATE: ("signing.seed", "egress.crt", "egress.key", "egress-ca.crt", "redis.password"),
    REDIS_OPERATOR: _STORE_PEOPLE,
    EXCHANGE: ("cdp_key.json", "cdp_view_key.json", "server.pem", "ca.pem", "clock-origin"),
}
_LIFE = timedelta(days=3650)
"""The certificates bind two pods of one release to each other; who wants them shorter deletes the Secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """Names under which servers of a release are reached; no exchange names = no simulated exchange."""

    egress: tuple[str, ...]
    exchange: tuple[str, ...] = ()


def completed(held: Mapping[str, Content], installation: Installation, now: datetime) -> Mapping[str, Content]:
    """Return every Secret of the release: what is held stays, what is missing is made, public halves are derived.

    Raises KeyUnusable for a Secret that somebody made without all its keys, or with something else in them.
    """
    private = {
        **{bus_secret(user): held.get(bus_secret(user)) or {SEED: fresh_seed()} for user in (*Zone, *_SERVERS)},
        GATE: held.get(GATE) or _gate(installation, now),
        REDIS_OPERATOR: held.get(REDIS_OPERATOR) or {user: fresh_password() for user in _STORE_PEOPLE},
    }
    if installation.exchange:
        private[EXCHANGE] = held.get(EXCHANGE) or _exchange(installation, now)
    for short, content in private.items():
        lacking = [key for key in _KEYS.get(short, (SEED,)) if not content.get(key)]
        if lacking:
            raise KeyUnusable(
                f"Secret {short} lacks {', '.join(lacking)}: complete it, or delete it to get a fresh one"
            )
    return {**private, **_derived(private)}


def secret_names(installation: Installation) -> tuple[str, ...]:
    """Return the short name of every Secret that a release has: what its bootstrap may look at."""
    exchange = (EXCHANGE, VENUE_KEY) if installation.exchange else ()
    users = (bus_secret(user) for user in (*Zone, *_SERVERS))
    return (*users, GATE, PUBLIC, BUS_SERVER, REDIS_SERVER, REDIS_OPERATOR, *exchange)


def bus_secret(user: str) -> str:
    """Return the name of the Secret with a bus user's seed."""
    return f"bus-{user}"


def _gate(installation: Installation, now: datetime) -> Content:
    egress = issue("risk-gate egress", installation.egress, now, _LIFE)
    return {
        "signing.seed": generate_seed(),
        "egress.crt": egress.certificate,
        "egress.key": egress.key,
        "egress-ca.crt": egress.authority,
        "redis.password": fresh_password(),
    }


def _exchange(installation: Installation, now: datetime) -> Content:
    """Make what the simulated venue would hand out: a trading key, a viewing key, and its own certificate."""
    server = issue("exchange-sim", installation.exchange, now, _LIFE)
    return {
        "cdp_key.json": _cdp_key("trade"),
        "cdp_view_key.json": _cdp_key("view"),
        "server.pem": server.key + server.certificate,
        "ca.pem": server.authority,
        "clock-origin": now.isoformat(),
    }


def _cdp_key(use: str) -> str:
    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    name = f"organizations/exchange-sim/apiKeys/{use}"
    return orjson.dumps({"name": name, "privateKey": pem.decode()}).decode()


def _derived(private: Mapping[str, Content]) -> Mapping[str, Content]:
    gate, people = private[GATE], private[REDIS_OPERATOR]
    hashes = {_STORE_GATE: hash_of(gate["redis.password"]), **{user: hash_of(people[user]) for user in _STORE_PEOPLE}}
    signer = Signer.of(gate["signing.seed"], key_id=GATE_KEY_ID, origin=f"Secret {GATE}")
    public = {"gate.pub": signer.public_key, "egress-ca.crt": gate["egress-ca.crt"]}
    derived: dict[str, Content] = {
        BUS_SERVER: {nkey_variable(user): _public(private, user) for user in (*Zone, *_SERVERS)},
        REDIS_SERVER: {"users.acl": redis_config.render_acl(hashes)},
        PUBLIC: public,
    }
    if EXCHANGE in private:
        exchange = private[EXCHANGE]
        derived[VENUE_KEY] = {"cdp_key.json": exchange["cdp_key.json"]}
        derived[PUBLIC] = {**public, "venue-ca.pem": exchange["ca.pem"], "clock-origin": exchange["clock-origin"]}
    return derived


def _public(private: Mapping[str, Content], user: str) -> str:
    try:
        return public_of(private[bus_secret(user)][SEED])
    except KeyUnusable as error:
        raise KeyUnusable(f"Secret {bus_secret(user)}: {SEED} {error}") from None


def nkey_variable(user: str) -> str:
    """Return the variable under which the bus server reads a user's public key."""
    return f"NKEY_{user.upper().replace('-', '_')}"
