"""Small JSON documents in Redis (or Valkey), with compare-and-set; every call is bounded, nothing is retried."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from gpt_trader.contracts.message import canonical
from gpt_trader.runtime.bus.errors import Unavailable
from gpt_trader.runtime.secret_files import read_secret

_CALL_SECONDS = 0.2

_COMPARE_AND_SET = """
local held = redis.call('HGET', KEYS[1], 'version')
if (held or '0') ~= ARGV[1] then return tonumber(held or '0') end
redis.call('HSET', KEYS[1], 'version', ARGV[2], 'document', ARGV[3])
return -1
"""
_WRITTEN = -1


class StoreUnavailable(Unavailable):
    """The store did not answer in time, or refused: what it holds is unknown."""


class StoreConflict(Exception):
    """Somebody else wrote the document since it was read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A stored document and its version, which rises by one with every write."""

    version: int
    content: Any


@dataclass(frozen=True, slots=True)
class Store:
    """Documents by key. Never the truth, always a fast copy: who can't read it assumes the worst."""

    _redis: "Redis"

    @staticmethod
    def connect(url: str, username: str, password_file: Path) -> AbstractAsyncContextManager["Store"]:
        """Open the store; raises KeyUnusable if the password can't be read: nothing but a restart would help."""
        return _connect(url, username, password_file)

    async def get(self, key: str) -> Document | None:
        """Return the document, or None when there is none."""
        try:
            version, content = await self._redis.hmget(key, ["version", "document"])
        except (RedisError, OSError) as error:
            raise StoreUnavailable(f"get {key}: {error}") from error
        if version is None or content is None:
            return None
        try:
            return Document(version=int(version), content=orjson.loads(content))
        except ValueError as error:
            raise StoreUnavailable(f"get {key}: not a document: {error}") from error

    async def is_present(self, key: str) -> bool:
        """Whether the key exists in any form, for flags that anybody may raise by hand."""
        try:
            return bool(await self._redis.exists(key))
        except (RedisError, OSError) as error:
            raise StoreUnavailable(f"exists {key}: {error}") from error

    async def put(self, key: str, content: object, *, version: int) -> None:
        """Write a document whose version the only writer counts itself."""
        fields: dict[str, int | bytes] = {"version": version, "document": canonical(content)}
        try:
            await self._redis.hset(key, mapping=fields)  # type: ignore[arg-type] # dict is invariant in its values
        except (RedisError, OSError) as error:
            raise StoreUnavailable(f"put {key}: {error}") from error

    async def compare_and_set(self, key: str, content: object, *, expected_version: int) -> int:
        """Write only over the version that was read (0 = none) and return the next; raises StoreConflict."""
        following = expected_version + 1
        try:
            held = await self._redis.eval(
                _COMPARE_AND_SET, 1, key, str(expected_version), str(following), canonical(content)
            )
        except (RedisError, OSError) as error:
            raise StoreUnavailable(f"compare_and_set {key}: {error}") from error
        if int(held) != _WRITTEN:
            raise StoreConflict(f"{key} is at version {held}, not {expected_version}")
        return following


@asynccontextmanager
async def _connect(url: str, username: str, password_file: Path) -> AsyncIterator[Store]:
    password = read_secret(password_file)
    redis = Redis.from_url(
        url,
        username=username,
        password=password,
        socket_timeout=_CALL_SECONDS,
        socket_connect_timeout=_CALL_SECONDS,
        retry=Retry(NoBackoff(), 0),
        protocol=2,
        driver_info=None,  # CLIENT SETINFO is unknown to Redis 7.0 and not granted
    )
    try:
        yield Store(redis)
    finally:
        await redis.aclose()
