"""Checks that what the server acknowledges is on disk."""

import aiohttp
from pydantic import BaseModel, ValidationError

from gpt_trader.runtime.bus.errors import BusUnavailable

_SECONDS = 5.0


class NotDurable(Exception):
    """The server acknowledges before the message is on disk: nothing may trade on it."""


class _JetStreamConfig(BaseModel):
    sync_always: bool = False


class _JetStream(BaseModel):
    config: _JetStreamConfig = _JetStreamConfig()


class _Varz(BaseModel):
    jetstream: _JetStream = _JetStream()


async def require_fsync(monitor_url: str) -> None:
    """Return if every acknowledged message is fsynced; raises NotDurable, or BusUnavailable without an answer."""
    url = f"{monitor_url.rstrip('/')}/varz"
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_SECONDS)) as session,
            session.get(url) as answer,
        ):
            varz = _Varz.model_validate_json(await answer.read())
    except (aiohttp.ClientError, TimeoutError, ValidationError) as error:
        raise BusUnavailable(f"{url}: {error!r}") from error
    if not varz.jetstream.config.sync_always:
        raise NotDurable(f"{url}: jetstream.config.sync_always is not true: set `sync_interval: always`")
