"""The chart's own checks tell a good bus from a bad one, and waiting for the bus ends with a sentence."""

import asyncio
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gpt_trader.console.cluster.checks import FOREIGN, CheckFailed, bus_permissions, filled_order, gate_ready
from gpt_trader.contracts.subjects import STREAMS, Zone
from gpt_trader.runtime.bus import BusError, connect
from gpt_trader.runtime.infrastructure import await_bus, keys, provision, servers
from gpt_trader.runtime.infrastructure.nats_config import NatsConfig, render
from gpt_trader.runtime.infrastructure.provision import stream_config
from gpt_trader.runtime.secret_files import write_secret

SOON = timedelta(seconds=0.2)


def mounted_seeds(seeds: dict[Zone, Path], folder: Path) -> Path:
    """Lay out seeds as the test pod's volume does."""
    for zone in FOREIGN:
        (folder / zone).mkdir(parents=True)
        shutil.copy(seeds[zone], folder / zone / "seed")
    return folder


async def test_the_rendered_rights_refuse_every_foreign_subject(nats_stack: Any, tmp_path: Path) -> None:
    said: list[str] = []

    await bus_permissions(nats_stack.url, mounted_seeds(nats_stack.seeds, tmp_path / "seeds"), said.append)

    assert len(said) == sum(len(subjects) for subjects in FOREIGN.values())
    assert "strategy can not publish control.kill" in said


async def test_a_bus_without_rights_is_found_out(nats_stack: Any, tmp_path: Path, free_port: Callable[[], int]) -> None:
    port = free_port()
    (tmp_path / "open.conf").write_text(f'listen: "127.0.0.1:{port}"\n')
    seeds = mounted_seeds(nats_stack.seeds, tmp_path / "seeds")

    with (
        servers.running(servers.nats_argv(tmp_path / "open.conf"), port, tmp_path / "log"),
        pytest.raises(CheckFailed, match=r"strategy may publish control\.kill"),
    ):
        await bus_permissions(f"nats://127.0.0.1:{port}", seeds, print)


async def test_a_seed_that_the_bus_does_not_know_is_no_proof_of_rights(nats_stack: Any, tmp_path: Path) -> None:
    seeds = mounted_seeds(nats_stack.seeds, tmp_path / "seeds")
    keys.create_nkey(seeds / "strategy" / "seed")

    with pytest.raises(CheckFailed, match="strategy could not even connect"):
        await bus_permissions(nats_stack.url, seeds, print)


async def test_a_silent_gate_is_named(free_port: Callable[[], int]) -> None:
    with pytest.raises(CheckFailed, match="does not answer"):
        await gate_ready(f"http://127.0.0.1:{free_port()}", SOON)


async def test_a_bus_without_fills_says_what_is_there(own_nats_stack: Any) -> None:
    with pytest.raises(CheckFailed, match="on the bus: 0 decisions, 0 approvals, 0 fills"):
        await filled_order(own_nats_stack.url, own_nats_stack.seeds[Zone.OPERATOR], SOON)


def awaiting(url: str, seed: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    words = ["await-bus", "--zone", "executor", "--nats-url", url, "--nats-seed-file", str(seed)]
    monkeypatch.setattr(sys, "argv", words)
    try:
        await_bus.main()
    except SystemExit as ended:
        return int(str(ended.code))
    return 0


def test_a_provisioned_bus_is_waited_for_no_longer(nats_stack: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert awaiting(nats_stack.url, nats_stack.seeds[Zone.EXECUTOR], monkeypatch) == 0


def test_a_wrong_seed_ends_the_wait_with_what_to_do(
    nats_stack: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    keys.create_nkey(tmp_path / "seed")

    assert awaiting(nats_stack.url, tmp_path / "seed", monkeypatch) == 2

    last = capsys.readouterr().err.splitlines()[-1]
    assert "the bus refused the credential of executor" in last
    assert "do not belong together; see docs/deploy/secrets.md" in last


def test_a_missing_seed_ends_the_wait_with_what_to_do(
    nats_stack: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert awaiting(nats_stack.url, tmp_path / "seed", monkeypatch) == 2

    assert "is the Secret with the seed there?" in capsys.readouterr().err


def test_a_seed_that_is_none_ends_the_wait_with_what_it_is(
    nats_stack: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_secret(tmp_path / "seed", "-----BEGIN PRIVATE KEY-----")

    assert awaiting(nats_stack.url, tmp_path / "seed", monkeypatch) == 2

    assert "is no nkey seed" in capsys.readouterr().err


@pytest.fixture
def three_servers(tmp_path: Path, free_port: Callable[[], int]) -> Iterator[tuple[list[str], list[servers.Server]]]:
    """Give addresses and servers of a cluster; its seeds are in `tmp_path`."""
    ports, peers = [free_port() for _ in range(3)], [free_port() for _ in range(3)]
    public = {zone: keys.create_nkey(tmp_path / f"{zone}.nk") for zone in Zone}
    provisioner, system = (keys.create_nkey(tmp_path / f"{user}.nk") for user in ("provisioner", "system"))
    with ExitStack() as stack:
        started = []
        for number, port in enumerate(ports):
            config = NatsConfig(
                listen=f"127.0.0.1:{port}",
                monitor=f"127.0.0.1:{free_port()}",
                store_dir=tmp_path / f"store-{number}",
                public_keys=public,
                provisioner_key=provisioner,
                system_key=system,
                server_name=f"nats-{number}",
                cluster=f"127.0.0.1:{peers[number]}",
                routes=[f"nats://127.0.0.1:{peer}" for peer in peers],
            )
            path = tmp_path / f"nats-{number}.conf"
            path.write_text(render(config))
            log = tmp_path / f"{number}.log"
            started.append(stack.enter_context(servers.running(servers.nats_argv(path), port, log)))
        yield [f"nats://127.0.0.1:{port}" for port in ports], started


def test_three_servers_lose_one_and_nothing_else(
    tmp_path: Path, three_servers: tuple[list[str], list[servers.Server]], monkeypatch: pytest.MonkeyPatch
) -> None:
    urls, running = three_servers
    seed = str(tmp_path / "provisioner.nk")
    words = ["--nats-url", urls[1], "--nats-seed-file", seed, "--replicas", "3", "--patience", "30"]
    monkeypatch.setattr(sys, "argv", ["provision", *words])

    provision.main()
    stored = asyncio.run(pauses(urls[1], tmp_path / "operator.nk", "before"))
    running[0].kill()
    again = asyncio.run(pauses(urls[2], tmp_path / "operator.nk", "after"))

    assert (stored, again) == ([b"before"], [b"before", b"after"])


async def pauses(url: str, seed: Path, word: str) -> list[bytes]:
    """Store a command, trying while a leader is elected, and read all back."""
    async with asyncio.timeout(20), connect(url, seed, Zone.OPERATOR) as bus:
        while True:
            try:
                await bus.store("control.pause", word.encode(), message_id=word)
            except BusError:
                await asyncio.sleep(0.2)
            else:
                return [received.payload async for received in bus.history("CONTROL")]


def test_three_servers_keep_three_replicas() -> None:
    assert {stream_config(stream, 3)["num_replicas"] for stream in STREAMS} == {3}
    assert {stream_config(stream)["num_replicas"] for stream in STREAMS} == {1}
