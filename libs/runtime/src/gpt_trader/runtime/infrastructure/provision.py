"""Creates the streams and durables; run it as often as you like.

python -m gpt_trader.runtime.infrastructure.provision --nats-url nats://… --nats-seed-file provisioner.nk

`--patience 120` is for a deployment, in which the bus may still be starting.
"""

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import nats.errors
import orjson
from nats.aio.client import Client

from gpt_trader.contracts.subjects import ALERTS, DURABLES, REPUBLISHED, ROUTES, STREAMS, Durable, Stream, Zone
from gpt_trader.runtime.infrastructure.nats_config import PROVISIONER_INBOX
from gpt_trader.runtime.secret_files import KeyUnusable, read_secret

_CONNECT_SECONDS = 10.0
_REQUEST_SECONDS = 5.0
_PAUSE_SECONDS = 2.0
_STREAM_NOT_FOUND = 10059
_CONSUMER_NOT_FOUND = 10014

Config = Mapping[str, Any]
"""A configuration in the server's own words, as its JSON API takes it."""


class ProvisioningFailed(Exception):
    """A stream or durable is not as it must be; the message names it and the reason."""


def main() -> None:
    """Provision a server from the command line."""
    parser = argparse.ArgumentParser(prog="provision", description="create or update the streams and durables")
    parser.add_argument("--nats-url", required=True, help="address of the bus")
    parser.add_argument("--nats-seed-file", required=True, type=Path, help="nkey seed of the provisioner (0600)")
    parser.add_argument("--replicas", type=int, default=1, choices=(1, 3), help="servers that keep each stream")
    parser.add_argument("--patience", type=float, default=0.0, help="seconds to go on trying while the bus starts")
    options = parser.parse_args()
    try:
        changes = asyncio.run(_patiently(options.nats_url, options.nats_seed_file, options.replicas, options.patience))
    except (ProvisioningFailed, KeyUnusable) as error:
        sys.exit(f"provision: {error}")
    for change in changes:
        sys.stdout.write(f"{change}\n")


async def _patiently(url: str, seed_file: Path, replicas: int, patience: float) -> Sequence[str]:
    """Try again while a starting server, or a cluster without a leader, can't be asked yet."""
    deadline = asyncio.get_running_loop().time() + patience
    while True:
        try:
            return await provision(url, seed_file, replicas)
        except ProvisioningFailed as error:
            if asyncio.get_running_loop().time() > deadline:
                raise
            sys.stderr.write(f"provision: {error}; trying again\n")
        await asyncio.sleep(_PAUSE_SECONDS)


async def provision(url: str, seed_file: Path, replicas: int = 1) -> Sequence[str]:
    """Make the server hold the declared streams and durables as declared; returns what was changed."""
    async with _connected(url, seed_file) as api:
        changes = [await _ensure(api, _stream_target(stream, replicas)) for stream in STREAMS]
        changes += [await _ensure(api, _durable_target(durable)) for durable in DURABLES]
        return [change for change in changes if change]


def stream_config(stream: Stream, replicas: int = 1) -> Config:
    """Say how a stream is kept; nothing but a queue can be deleted from or purged, whatever credential asks."""
    routes = [route for route in ROUTES if route.stream == stream.name]
    is_alerts = stream.name == "ALERTS"
    is_from_others = is_alerts or any(route.publisher not in {Zone.GATE, Zone.OPERATOR} for route in routes)
    republished = {"republish": {"src": ">", "dest": f"{REPUBLISHED}>"}} if is_from_others else {}
    return {
        "name": stream.name,
        "subjects": [ALERTS] if is_alerts else [route.pattern for route in routes],
        "retention": "workqueue" if stream.is_queue else "limits",
        "storage": "file",
        "num_replicas": replicas,
        "max_consumers": -1,
        "max_msgs": -1,
        "max_msgs_per_subject": -1 if stream.per_subject is None else stream.per_subject,
        "max_bytes": stream.max_bytes,
        "max_age": 0 if stream.max_age is None else _nanoseconds(stream.max_age),
        "discard": "new" if stream.discard_new else "old",
        "duplicate_window": _nanoseconds(stream.duplicate_window),
        "allow_direct": True,
        "deny_delete": True,
        "deny_purge": not stream.is_queue,
        **republished,
    }


def durable_config(durable: Durable) -> Config:
    """Say how a durable delivers: everything from the beginning, again until acknowledged."""
    filters = (
        {"filter_subject": durable.filters[0]}
        if len(durable.filters) == 1
        else {"filter_subjects": list(durable.filters)}
    )
    return {
        "durable_name": durable.name,
        "name": durable.name,
        "deliver_policy": "all",
        "replay_policy": "instant",
        "ack_policy": "explicit",
        "ack_wait": _nanoseconds(durable.ack_wait),
        "max_ack_pending": durable.max_ack_pending,
        "max_deliver": -1,
        **filters,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Target:
    """Something that must exist on the server, and the requests that look at it, make it and change it."""

    what: str
    wanted: Config
    info: str
    create: str
    update: str
    not_found: int
    body: Config


def _stream_target(stream: Stream, replicas: int) -> _Target:
    wanted = stream_config(stream, replicas)
    return _Target(
        what=f"stream {stream.name}",
        wanted=wanted,
        info=f"$JS.API.STREAM.INFO.{stream.name}",
        create=f"$JS.API.STREAM.CREATE.{stream.name}",
        update=f"$JS.API.STREAM.UPDATE.{stream.name}",
        not_found=_STREAM_NOT_FOUND,
        body=wanted,
    )


def _durable_target(durable: Durable) -> _Target:
    wanted = durable_config(durable)
    make = f"$JS.API.CONSUMER.DURABLE.CREATE.{durable.stream}.{durable.name}"
    return _Target(
        what=f"durable {durable.stream}/{durable.name}",
        wanted=wanted,
        info=f"$JS.API.CONSUMER.INFO.{durable.stream}.{durable.name}",
        create=make,
        update=make,
        not_found=_CONSUMER_NOT_FOUND,
        body={"stream_name": durable.stream, "config": wanted},
    )


async def _ensure(api: Client, target: _Target) -> str:
    held = await _request(api, target.info, {})
    if held.get("error", {}).get("err_code") == target.not_found:
        await _demand(api, target, target.create)
        return f"{target.what} created"
    if "error" in held:
        raise ProvisioningFailed(f"{target.what}: {_reason(held)}")
    differences = _differences(target.wanted, held["config"])
    if not differences:
        return ""
    await _demand(api, target, target.update)
    return f"{target.what} updated: {', '.join(differences)}"


async def _demand(api: Client, target: _Target, subject: str) -> None:
    answer = await _request(api, subject, target.body)
    if "error" in answer:
        raise ProvisioningFailed(f"{target.what}: {_reason(answer)}")
    differences = _differences(target.wanted, answer["config"])
    if differences:
        raise ProvisioningFailed(f"{target.what}: the server kept {', '.join(differences)} as it was")


def _differences(wanted: Config, held: Config) -> list[str]:
    """Name what differs; the server leaves out false and empty values."""
    differing = [name for name, value in wanted.items() if held.get(name, type(value)()) != value]
    return differing + [name for name in ("republish", "sources", "mirror") if name in held and name not in wanted]


async def _request(api: Client, subject: str, body: Config) -> Config:
    try:
        answer = await api.request(subject, orjson.dumps(body) if body else b"", timeout=_REQUEST_SECONDS)
    except nats.errors.Error as error:
        raise ProvisioningFailed(f"{subject}: no answer ({error!r})") from error
    parsed: Config = orjson.loads(answer.data)
    return parsed


def _reason(answer: Config) -> str:
    return f"{answer['error'].get('description')} ({answer['error'].get('err_code')})"


@asynccontextmanager
async def _connected(url: str, seed_file: Path) -> AsyncIterator[Client]:
    client = Client()
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            await client.connect(
                url,
                name="provisioner",
                nkeys_seed_str=read_secret(seed_file),
                inbox_prefix=PROVISIONER_INBOX,
                error_cb=_on_error,
            )
    except (TimeoutError, OSError, nats.errors.Error) as error:
        await client.close()
        raise ProvisioningFailed(f"{url}: no connection ({client.last_error or error!r})") from error
    try:
        yield client
    finally:
        await client.close()


async def _on_error(error: Exception) -> None:
    sys.stderr.write(f"provision: {error}\n")


def _nanoseconds(duration: timedelta) -> int:
    return duration // timedelta(microseconds=1) * 1000


if __name__ == "__main__":
    main()
