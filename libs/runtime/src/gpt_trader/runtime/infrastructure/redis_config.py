"""Renders the store server's configuration and access list; it holds for Redis 7.0 as for Valkey."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath

PROVISIONER = "provisioner"
"""The only user that may clear `risk:kill`."""

_READ = "+get +mget +hget +hmget +hgetall +exists +ping +hello +auth +client|setname"

_RIGHTS: Mapping[str, str] = {
    "risk-gate": f"~risk:* ~deg:* {_READ} +set +hset +watch +unwatch +multi +exec +discard +eval +evalsha +script|load",
    "executor": f"%R~risk:* %R~deg:* {_READ}",
    "strategy": f"%R~risk:state %R~deg:* ~strat:* {_READ} +set +hset",
    "operator": f"~risk:kill %R~risk:* %R~deg:* {_READ} +set",
    PROVISIONER: "~risk:kill +del +exists +ping +hello +auth",
}

USERS: tuple[str, ...] = tuple(_RIGHTS)
"""Who has a password; nobody else can connect."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisConfig:
    """All that varies between installations."""

    host: str
    port: int
    store_dir: PurePath
    acl_file: PurePath
    pid_file: PurePath | None = None


def render(config: RedisConfig) -> str:
    """Return the text of the server's configuration: every write is on disk before it is answered."""
    lines = [
        f"bind {config.host}",
        f"port {config.port}",
        f'dir "{config.store_dir}"',
        f'aclfile "{config.acl_file}"',
        "protected-mode yes",
        "daemonize no",
        "appendonly yes",
        "appendfsync always",
        "aof-load-truncated no",
        'save ""',
        "maxmemory 64mb",
        "maxmemory-policy noeviction",
        "maxclients 64",
        "tcp-keepalive 5",
        "timeout 0",
        *([] if config.pid_file is None else [f'pidfile "{config.pid_file}"']),
    ]
    return "\n".join(lines) + "\n"


def render_acl(password_hashes: Mapping[str, str]) -> str:
    """Return the access list for the users whose SHA-256 password hashes are given; the default user is off."""
    users = [
        f"user {user} on #{password_hashes[user]} resetkeys resetchannels -@all {_RIGHTS[user]}"
        for user in USERS
        if user in password_hashes
    ]
    return "\n".join(["user default off resetkeys resetchannels -@all", *users, ""])
