"""Renders the bus server's configuration from the routes: accounts, exports, imports and permissions.

Trust zones are accounts: a mistake in a permission list cannot cross an account's border. JetStream lives in the gate's
account alone. What another zone publishes into a stream crosses as a *service*, so that the server maps the reply: over
a stream import the acknowledgement would go to a subject of the publisher's choice inside the gate's account.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Literal

from gpt_trader.contracts.subjects import (
    ALERTING,
    ALERTS,
    DURABLES,
    HISTORY,
    QUEUES,
    RECORDS,
    REPUBLISHED,
    ROUTES,
    Route,
    Zone,
    seen_by,
)
from gpt_trader.runtime.bus.link import inbox_prefix

PROVISIONER_INBOX = "_INBOX_provisioner"

_ACKNOWLEDGEMENT = "$JS.ACK."
_OTHERS = frozenset(Zone) - {Zone.GATE}


@dataclass(frozen=True, slots=True, kw_only=True)
class NatsConfig:
    """All that varies between installations; `listen`, `monitor` and `cluster` are `host:port`.

    A name or key may be a variable (`$NKEY_OPERATOR`): the server reads it from its environment. Servers that list
    each other as `routes` share the streams; each needs a name of its own.
    """

    listen: str
    monitor: str
    store_dir: PurePath
    public_keys: Mapping[Zone, str]
    provisioner_key: str
    system_key: str
    pid_file: PurePath | None = None
    max_file_store: str = "4GB"
    server_name: str = "gpt-trader"
    cluster: str = ""
    routes: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Crossing:
    """A subject that `users` import from the owner's account; a service's answers go back, a stream's can't."""

    kind: Literal["stream", "service"]
    owner: Zone
    subject: str
    users: frozenset[Zone]
    answers: str = ""


def render(config: NatsConfig) -> str:
    """Return the text of nats-server.conf."""
    lines = (*_server(config), "accounts {", *_accounts(config), "}", "system_account: SYS", *_cluster(config), "")
    return "\n".join(lines)


def _server(config: NatsConfig) -> Iterable[str]:
    yield "# Rendered from gpt_trader.contracts.subjects; do not edit."
    yield f"server_name: {config.server_name}"
    yield f"listen: {_quoted(config.listen)}"
    yield f"http: {_quoted(config.monitor)}"
    if config.pid_file is not None:
        yield f"pid_file: {_quoted(config.pid_file)}"
    yield "max_payload: 256KB"
    yield "max_connections: 128"
    yield "max_pending: 8MB"
    yield 'write_deadline: "2s"'
    yield 'ping_interval: "5s"'
    yield "ping_max: 2"
    yield "jetstream {"
    yield f"  store_dir: {_quoted(config.store_dir)}"
    yield "  sync_interval: always  # an acknowledged message is on disk"
    yield "  max_memory_store: 64MB"
    yield f"  max_file_store: {config.max_file_store}"
    yield "}"


def _cluster(config: NatsConfig) -> Iterable[str]:
    """Several servers, so that a stream can have replicas; one server has no cluster block."""
    if config.routes:
        yield "cluster {"
        yield "  name: gpt-trader"
        yield f"  listen: {_quoted(config.cluster)}"
        yield "  routes: ["
        yield from (f"    {_quoted(route)}" for route in config.routes)
        yield "  ]"
        yield "}"


def _accounts(config: NatsConfig) -> Iterable[str]:
    crossings = [crossing for crossing in _crossings() if crossing.users]
    yield f"  SYS {{ users: [ {{ nkey: {config.system_key} }} ] }}"
    for zone in Zone:
        yield f"  {account_name(zone)} {{"
        if zone is Zone.GATE:
            yield "    jetstream: enabled"
        yield "    users: ["
        yield from _user(config.public_keys[zone], _publishable(zone), _readable(zone))
        if zone is Zone.GATE:
            yield from _user(config.provisioner_key, ("$JS.API.>",), (f"{PROVISIONER_INBOX}.>",))
        yield "    ]"
        yield from _listed("exports", [_export(crossing) for crossing in crossings if crossing.owner is zone])
        yield from _listed("imports", [_import(crossing) for crossing in crossings if zone in crossing.users])
        yield "  }"


def account_name(zone: Zone) -> str:
    """Return the account of a zone: `market-data` has MARKET_DATA."""
    return zone.upper().replace("-", "_")


def _publishable(zone: Zone) -> tuple[str, ...]:
    """Return what only this zone publishes, the alerts that those who trade raise, and its requests to its streams."""
    alerts = (ALERTS,) if zone in ALERTING else ()
    return (*(route.pattern for route in ROUTES if route.publisher is zone), *alerts, *_requests(zone))


def _readable(zone: Zone) -> tuple[str, ...]:
    alerts = {Zone.OPERATOR: (REPUBLISHED + ALERTS,), Zone.GATE: (ALERTS,)}
    own = Zone.GATE if zone is Zone.GATE else None  # a later gate's claim of the epoch comes from the gate's own zone
    routes = (route for route in ROUTES if zone in route.readers or route.publisher is own)
    return (*(seen_by(zone, route.pattern) for route in routes), *alerts.get(zone, ()), f"{inbox_prefix(zone)}.>")


def _requests(zone: Zone) -> tuple[str, ...]:
    """Return exactly a zone's requests: to read its durables and streams, to ask their room, to take work back."""
    durables = [durable for durable in DURABLES if durable.zone is zone]
    return (
        *(f"$JS.API.CONSUMER.MSG.NEXT.{durable.stream}.{durable.name}" for durable in durables),
        *(f"{_ACKNOWLEDGEMENT}{durable.stream}.{durable.name}.>" for durable in durables),
        *(f"$JS.API.DIRECT.GET.{stream}" for stream in sorted(HISTORY[zone])),
        *(f"$JS.API.STREAM.INFO.{stream}" for stream in RECORDS if zone is Zone.GATE),
        *(f"$JS.API.STREAM.PURGE.{stream}" for stream in QUEUES if zone is Zone.OPERATOR),
    )


def _crossings() -> Iterable[_Crossing]:
    for route in ROUTES:
        yield from _crossings_of(route)
    yield _Crossing(kind="service", owner=Zone.GATE, subject=ALERTS, users=_OTHERS & ALERTING)
    yield _Crossing(kind="stream", owner=Zone.GATE, subject=REPUBLISHED + ALERTS, users=frozenset({Zone.OPERATOR}))
    for subject in sorted({subject for zone in _OTHERS for subject in _requests(zone)}):
        users = frozenset(zone for zone in _OTHERS if subject in _requests(zone))
        answers = "" if subject.startswith(_ACKNOWLEDGEMENT) else "stream"
        yield _Crossing(kind="service", owner=Zone.GATE, subject=subject, users=users, answers=answers)


def _crossings_of(route: Route) -> Iterable[_Crossing]:
    """Yield how a foreign zone's messages reach its stream, as a service, and their readers, as the stream's copy."""
    is_stored_for = route.stream is not None and route.publisher is not Zone.GATE
    if is_stored_for:
        yield _Crossing(kind="service", owner=Zone.GATE, subject=route.pattern, users=frozenset({route.publisher}))
    readers = route.readers - {Zone.GATE} if is_stored_for else route.readers
    subjects = {seen_by(zone, route.pattern) for zone in readers}
    for subject in sorted(subjects):
        owner = Zone.GATE if subject.startswith(REPUBLISHED) else route.publisher
        yield _Crossing(kind="stream", owner=owner, subject=subject, users=readers)


def _export(crossing: _Crossing) -> str:
    accounts = ", ".join(sorted(account_name(zone) for zone in crossing.users))
    answers = f", response_type: {crossing.answers}" if crossing.answers else ""
    return f"{{ {crossing.kind}: {_quoted(crossing.subject)}, accounts: [{accounts}]{answers} }}"


def _import(crossing: _Crossing) -> str:
    source = f"account: {account_name(crossing.owner)}, subject: {_quoted(crossing.subject)}"
    return f"{{ {crossing.kind}: {{ {source} }} }}"


def _user(public_key: str, publish: Iterable[str], subscribe: Iterable[str]) -> Iterable[str]:
    yield f"      {{ nkey: {public_key}, permissions: {{"
    yield f"          publish: [{', '.join(map(_quoted, publish))}]"
    yield f"          subscribe: [{', '.join(map(_quoted, subscribe))}] }} }}"


def _listed(name: str, entries: Iterable[str]) -> Iterable[str]:
    lines = [f"      {entry}" for entry in entries]
    if lines:
        yield f"    {name}: ["
        yield from lines
        yield "    ]"


def _quoted(value: object) -> str:
    return f'"{value}"'
