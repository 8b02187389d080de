"""Real infrastructure for everybody's tests: the bus with its real configuration, the store with its real users."""

import asyncio
import os
import shutil
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from gpt_trader.contracts.subjects import Zone
from gpt_trader.runtime.bus import Bus, connect
from gpt_trader.runtime.infrastructure import keys, nats_config, redis_config, servers
from gpt_trader.runtime.infrastructure.provision import provision

settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")  # how long an example takes says nothing about the code on a busy machine


MEMORY = Path("/dev/shm")  # noqa: S108 - a file system, and not a file that others could have made
ROOM = 8_000_000_000
"""Many times what a whole run writes."""


def pytest_configure() -> None:
    """Let tests write to memory where there is room: every decision, order and message of theirs is synced.

    On a disk that somebody else keeps busy a sync takes a second now and then, and services rightly act on that.
    """
    if MEMORY.is_dir() and not os.statvfs(MEMORY).f_flag & os.ST_NOEXEC and shutil.disk_usage(MEMORY).free > ROOM:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


LONGEST_FIRST = ("e2e", "scenarios", "controls", "integration")
"""Folders of whole systems: they begin, so that the workers share out files of a few seconds at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the folders in order; within a folder nothing moves."""
    ranks = {folder: rank for rank, folder in enumerate(LONGEST_FIRST)}
    root = Path(__file__).parent
    items.sort(key=lambda item: ranks.get(item.path.relative_to(root).parts[0], len(ranks)))


@dataclass(slots=True, kw_only=True)
class NatsStack:
    """A provisioned bus server; `seeds` holds each zone's credential."""

    url: str
    monitor_url: str
    seeds: Mapping[Zone, Path]
    provisioner_seed: Path
    folder: Path
    port: int
    server: servers.Server = field(repr=False)

    def kill(self) -> None:
        """End the server as a crash would."""
        self.server.kill()

    def start(self) -> None:
        """Start the server again on the same port and files."""
        self.server = servers.start(servers.nats_argv(self.folder / "nats.conf"), self.port, self.folder / "nats.log")


@dataclass(frozen=True, slots=True, kw_only=True)
class Valkey:
    """A store server; `password_files` holds each user's credential."""

    url: str
    password_files: Mapping[str, Path]
    folder: Path
    server: servers.Server


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def free_port() -> Callable[[], int]:
    """Give a loopback port on which nothing listens: call it once per port."""
    return _free_port


@contextmanager
def _nats(folder: Path) -> Iterator[NatsStack]:
    seeds = {zone: folder / f"{zone}.nk" for zone in Zone}
    port, monitor = _free_port(), _free_port()
    config = nats_config.NatsConfig(
        listen=f"127.0.0.1:{port}",
        monitor=f"127.0.0.1:{monitor}",
        store_dir=folder / "jetstream",
        public_keys={zone: keys.create_nkey(seed) for zone, seed in seeds.items()},
        provisioner_key=keys.create_nkey(folder / "provisioner.nk"),
        system_key=keys.create_nkey(folder / "system.nk"),
    )
    (folder / "nats.conf").write_text(nats_config.render(config))
    stack = NatsStack(
        url=f"nats://127.0.0.1:{port}",
        monitor_url=f"http://127.0.0.1:{monitor}",
        seeds=seeds,
        provisioner_seed=folder / "provisioner.nk",
        folder=folder,
        port=port,
        server=servers.start(servers.nats_argv(folder / "nats.conf"), port, folder / "nats.log"),
    )
    try:
        asyncio.run(provision(stack.url, stack.provisioner_seed))
        yield stack
    finally:
        stack.server.stop()


@pytest.fixture(scope="session")
def nats_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsStack]:
    """One bus for all tests of the run: what a test stores there stays, so look only at your own subjects."""
    with _nats(tmp_path_factory.mktemp("nats")) as stack:
        yield stack


@pytest.fixture
def own_nats_stack(tmp_path: Path) -> Iterator[NatsStack]:
    """Give the test a bus of its own, with empty streams; it may be killed."""
    with _nats(tmp_path) as stack:
        yield stack


BusOf = Callable[[Zone], Awaitable[Bus]]


async def _buses(stack: NatsStack) -> AsyncIterator[BusOf]:
    async with AsyncExitStack() as opened:

        async def bus_of(zone: Zone) -> Bus:
            return await opened.enter_async_context(connect(stack.url, stack.seeds[zone], zone))

        yield bus_of


@pytest.fixture
async def bus_of(nats_stack: NatsStack) -> AsyncIterator[BusOf]:
    """Connect to the shared bus as any zone; closed at the end of the test."""
    async for factory in _buses(nats_stack):
        yield factory


@pytest.fixture
async def own_bus_of(own_nats_stack: NatsStack) -> AsyncIterator[BusOf]:
    """Connect to the test's own bus as a zone."""
    async for factory in _buses(own_nats_stack):
        yield factory


@contextmanager
def _valkey(folder: Path, binary: Path | None = None) -> Iterator[Valkey]:
    port = _free_port()
    files = {user: folder / f"{user}.password" for user in redis_config.USERS}
    hashes = {user: keys.ensure_password(path) for user, path in files.items()}
    acl, config = folder / "users.acl", folder / "valkey.conf"
    acl.write_text(redis_config.render_acl(hashes))
    settings = redis_config.RedisConfig(host="127.0.0.1", port=port, store_dir=folder, acl_file=acl)
    config.write_text(redis_config.render(settings))
    with servers.running(servers.valkey_argv(config, binary), port, folder / "valkey.log") as server:
        yield Valkey(url=f"redis://127.0.0.1:{port}/0", password_files=files, folder=folder, server=server)


@pytest.fixture(scope="session", params=["valkey", "redis-server"])
def valkey(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    """One store for all tests of the run, and the same on a Redis server where one is installed."""
    binary = None if request.param == "valkey" else shutil.which(request.param)
    if request.param != "valkey" and binary is None:
        pytest.skip("redis-server is not on PATH: the store is tested on Valkey alone")
    with _valkey(tmp_path_factory.mktemp("store"), None if binary is None else Path(binary)) as store:
        yield store


@pytest.fixture
def own_valkey(tmp_path: Path) -> Iterator[Valkey]:
    """Give the test a store of its own; it may be stopped."""
    with _valkey(tmp_path) as store:
        yield store
