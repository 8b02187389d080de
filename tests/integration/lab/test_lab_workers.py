"""Storms as work on a real bus: real workers, which are killed, stopped, and given what they can't run."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
import structlog
from nats.aio.client import Client

from gpt_trader.contracts.subjects import DURABLES, Durable, Zone, lab_results, lab_work
from gpt_trader.lab.queue.pieces import OUTCOME, Piece, PieceFailed, PieceRan, cut
from gpt_trader.lab.queue.submission import Submission
from gpt_trader.lab.queue.worker import serve
from gpt_trader.lab.settings import LabSettings
from gpt_trader.lab.storm import report
from gpt_trader.lab.storm.campaign import Kind, Tally, tallied
from gpt_trader.lab.storm.report import Found
from gpt_trader.runtime import logs
from gpt_trader.runtime.bus import Bus, PublishRefused, Received, connect
from gpt_trader.runtime.infrastructure.nats_config import PROVISIONER_INBOX
from gpt_trader.runtime.infrastructure.provision import durable_config

pytestmark = pytest.mark.timeout(120)
(DURABLE,) = (one for one in DURABLES if one.zone is Zone.LAB)
SEEDS = range(24)
PLAIN = Kind()
MEASURED = {"seconds", "schedules_per_second"}


@pytest.fixture(scope="module")
def alone() -> Tally:
    """Run the seeds as one process without a bus does."""
    before = structlog.get_config()
    logs.silence()
    tally = tallied(SEEDS, PLAIN)
    structlog.configure(**before)
    return tally


@pytest.fixture(scope="module")
def crew(nats_stack: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Start two workers; a test may kill the first."""
    folder = tmp_path_factory.mktemp("crew")
    bus = ("--nats-url", nats_stack.url, "--nats-seed-file", str(nats_stack.seeds[Zone.LAB]))
    command = [sys.executable, "-m", "gpt_trader.lab", "worker", *bus, "--run-dir"]
    workers = [subprocess.Popen([*command, str(folder / name)], stderr=subprocess.DEVNULL) for name in ("a", "b")]
    try:
        for name in ("a", "b"):
            until(lambda at=folder / name / "lab.health": at.exists() and is_ready(at.read_text()))  # type: ignore[misc]
        yield workers
    finally:
        for one in workers:
            one.terminate()
            one.wait(10)


def is_ready(address: str) -> bool:
    with urlopen(f"http://{address}/health") as answer:
        return bool(json.load(answer)["is_ready"])


def until(is_true: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


async def reached(is_true: Callable[[], bool], seconds: float = 60) -> None:
    async with asyncio.timeout(seconds):
        while not is_true():  # noqa: ASYNC110 - the condition belongs to another process
            await asyncio.sleep(0.01)


def queue_of(stack: Any) -> dict[str, Any]:
    """Ask as an autoscaler does how much the workers have before them."""
    with urlopen(f"{stack.monitor_url}/jsz?acc=RISK_GATE&consumers=true&config=true") as answer:
        (account,) = json.load(answer)["account_details"]
    (stream,) = (one for one in account["stream_detail"] if one["name"] == DURABLE.stream)
    (consumer,) = stream["consumer_detail"]
    assert consumer["name"] == DURABLE.name
    return dict(consumer)


def submission(bus: Bus, campaign: str, pieces: tuple[Piece, ...]) -> Submission:
    return Submission(bus=bus, campaign=campaign, pieces=pieces, told=lambda _: True, warn=lambda _: None)


@asynccontextmanager
async def at_work(stack: Any, **settings: Any) -> AsyncIterator["asyncio.Task[None]"]:
    """Run a worker in this process, with a process of its own for the storms."""
    told = LabSettings(nats_url=stack.url, nats_seed_file=stack.seeds[Zone.LAB], **settings)
    async with asyncio.TaskGroup() as group:
        worker = group.create_task(serve(told))
        try:
            yield worker
        finally:
            worker.cancel()


def piece_of(count: int, length: int = 1) -> Piece:
    return Piece(first=0, count=count, length=length, without=None)


def test_workers_give_the_same_report_as_one_process(nats_stack: Any, crew: Any, alone: Tally) -> None:
    command = [sys.executable, "-m", "gpt_trader.lab", "storm", "--seeds", str(len(SEEDS)), "--json", "--on-bus"]
    bus = ("--nats-url", nats_stack.url, "--nats-seed-file", str(nats_stack.seeds[Zone.OPERATOR]))

    ended = subprocess.run([*command, *bus], capture_output=True, text=True, timeout=90, check=False)

    local = Found(tally=alone, seconds=1, kind=PLAIN, shortest=None, is_interrupted=False)
    wanted = json.loads(report.as_json(local))
    found = json.loads(ended.stdout)
    assert ended.returncode == 0, ended.stderr
    assert {name: found[name] for name in found if name not in MEASURED} == {
        name: wanted[name] for name in wanted if name not in MEASURED
    }
    assert found["seeds"] == len(SEEDS)
    assert len(crew) == 2


async def test_a_killed_worker_loses_nothing_and_counts_nothing_twice(
    nats_stack: Any, bus_of: Any, crew: Any, alone: Tally
) -> None:
    killed, before = crew[0], queue_of(nats_stack)["delivered"]["consumer_seq"]
    pieces = tuple(Piece(first=first, count=2, length=1, without=None) for first in SEEDS[::2])
    campaign = submission(await bus_of(Zone.OPERATOR), "killed", pieces)

    async with asyncio.TaskGroup() as group:
        collecting = group.create_task(campaign.run())
        await reached(lambda: queue_of(nats_stack)["delivered"]["consumer_seq"] - before >= 2)
        killed.send_signal(signal.SIGSTOP)  # asleep it is given a piece, if it had none
        orphans = children_of(killed.pid)
        await asyncio.sleep(0.3)
        await reached(lambda: queue_of(nats_stack)["num_ack_pending"] == 2, 2)
        assert not collecting.done()
        killed.kill()

    assert list(campaign.undone()) == []
    assert campaign.tally == alone
    assert queue_of(nats_stack)["delivered"]["consumer_seq"] - before == len(pieces) + 1
    assert orphans
    until(lambda: not any(Path(f"/proc/{one}").exists() for one in orphans), 10)


def children_of(pid: int) -> list[int]:
    return [int(one) for task in Path(f"/proc/{pid}/task").iterdir() for one in (task / "children").read_text().split()]


async def test_a_stopped_worker_hands_its_piece_back_at_once(own_nats_stack: Any, own_bus_of: Any) -> None:
    operator, other = await own_bus_of(Zone.OPERATOR), await own_bus_of(Zone.LAB)
    handed: list[Received] = []

    async def on_piece(received: Received) -> None:
        handed.append(received)

    async with asyncio.TaskGroup() as group:
        async with at_work(own_nats_stack):
            await operator.store(lab_work("stop", 0), piece_of(500, 50), message_id="s")
            await reached(lambda: bool(who_runs_storms()))
        stopped = asyncio.get_running_loop().time()
        taking = group.create_task(other.consume(DURABLE, on_piece))
        await reached(lambda: bool(handed))
        waited = asyncio.get_running_loop().time() - stopped
        taking.cancel()

    assert waited < 2 < DURABLE.ack_wait.total_seconds()
    assert (handed[0].subject, handed[0].deliveries) == (lab_work("stop", 0), 2)


async def test_a_piece_is_held_for_as_long_as_it_takes(own_nats_stack: Any, own_bus_of: Any) -> None:
    impatient = replace(DURABLE, ack_wait=timedelta(seconds=0.6))
    await redeclare(own_nats_stack, impatient)
    operator, worker, idle = [await own_bus_of(zone) for zone in (Zone.OPERATOR, Zone.LAB, Zone.LAB)]
    taken: list[tuple[str, int]] = []

    async def slowly(received: Received) -> None:
        taken.append((received.subject, received.deliveries))
        await asyncio.sleep(1.5)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(bus.consume(impatient, slowly)) for bus in (worker, idle)]
        for piece in (0, 1, 2):
            await operator.store(lab_work("slow", piece), piece_of(1), message_id=f"{piece}")
        await reached(lambda: queue_of(own_nats_stack)["ack_floor"]["stream_seq"] == 3)
        for task in tasks:
            task.cancel()

    assert sorted(taken) == [(lab_work("slow", piece), 1) for piece in (0, 1, 2)]


async def redeclare(stack: Any, durable: Durable) -> None:
    client = Client()
    await client.connect(stack.url, nkeys_seed_str=stack.provisioner_seed.read_text(), inbox_prefix=PROVISIONER_INBOX)
    body = {"stream_name": durable.stream, "config": durable_config(durable)}
    subject = f"$JS.API.CONSUMER.DURABLE.CREATE.{durable.stream}.{durable.name}"
    answer = await client.request(subject, json.dumps(body).encode())
    await client.close()
    assert "error" not in json.loads(answer.data)


async def test_what_no_worker_can_run_is_reported_and_never_dropped(own_nats_stack: Any, own_bus_of: Any) -> None:
    operator = await own_bus_of(Zone.OPERATOR)
    torn = {"unread": b"{", "unknown": b'{"first":0,"count":1,"length":1,"without":"gravity"}'}
    for name, payload in torn.items():
        await operator.store(lab_work("poison", name), payload, message_id=name)
    deadly = submission(operator, "deadly", (piece_of(1),))
    strangled = submission(operator, "strangled", (piece_of(500, 50),))

    async with at_work(own_nats_stack, deliveries=2), asyncio.TaskGroup() as group:
        collecting = group.create_task(deadly.run())
        await reached(lambda: kill_whoever_runs_storms() or collecting.done())
    async with at_work(own_nats_stack, piece_seconds=0.2):
        await strangled.run()

    reasons = {
        received.subject: OUTCOME.validate_json(received.payload)
        async for received in operator.history("LAB_RESULTS", subject_filter="lab.results.poison.*")
    }
    unread, unknown = (reasons[lab_results("poison", name)] for name in torn)
    assert isinstance(unread, PieceFailed)
    assert "Invalid JSON" in unread.reason
    assert isinstance(unknown, PieceFailed)
    assert unknown.reason == "without: Value error, is no protection that this release knows"
    assert [why for _, why in deadly.undone()] == ["taken 2 times, and no worker came to its end"]
    assert [why for _, why in strangled.undone()] == ["took longer than 0.2 s"]
    assert queue_of(own_nats_stack)["num_pending"] + queue_of(own_nats_stack)["num_ack_pending"] == 0


def who_runs_storms() -> list[int]:
    return [one for one in children_of(os.getpid()) if "spawn_main" in Path(f"/proc/{one}/cmdline").read_text()]


def kill_whoever_runs_storms() -> bool:
    for child in who_runs_storms():
        os.kill(child, signal.SIGKILL)
    return False


async def test_an_interrupted_campaign_takes_back_its_own_pieces_and_no_others(own_bus_of: Any) -> None:
    operator = await own_bus_of(Zone.OPERATOR)
    await operator.store(lab_work("other", 0), piece_of(1), message_id="o")
    campaign = submission(operator, "mine", (piece_of(1),) * 3)

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await campaign.run()

    assert [received.subject async for received in operator.history("LAB_WORK")] == [lab_work("other", 0)]


async def test_a_piece_is_counted_once_and_a_vanished_one_is_missed(own_bus_of: Any) -> None:
    operator, worker = await own_bus_of(Zone.OPERATOR), await own_bus_of(Zone.LAB)
    ran = PieceRan(release="0", tally=Tally(seeds=1, faults=Counter(a=2)))
    for attempt in ("first", "again"):
        await worker.store(lab_results("c", 0), ran, message_id=attempt)
    await worker.store(lab_results("c", 1), b"{}", message_id="unreadable")
    campaign = replace(submission(operator, "c", (piece_of(1),) * 4), quiet_looks=2)

    async with asyncio.TaskGroup() as group:
        running = group.create_task(campaign.run())
        await reached(lambda: len(campaign.outcomes) == 2)
        await operator.withdraw("LAB_WORK", lab_work("c", 3))  # 2 still waits: it is missed by nobody
        await reached(lambda: len(campaign.outcomes) == 3)
        await asyncio.sleep(0.2)
        running.cancel()

    assert (campaign.tally.seeds, campaign.tally.faults) == (1, {"a": 2})
    assert campaign.outcomes.keys() == {0, 1, 3}
    assert [why[:25] for _, why in campaign.undone()] == ["its result can't be read:", "is in the queue no more a"]
    assert campaign.foreign() == {"0"}


async def test_only_the_operator_takes_work_back(own_bus_of: Any) -> None:
    operator, worker = await own_bus_of(Zone.OPERATOR), await own_bus_of(Zone.LAB)
    await operator.store(lab_work("kept", 0), piece_of(1), message_id="k")

    with pytest.raises(PublishRefused):
        await worker.withdraw("LAB_WORK", ">")

    assert await operator.last("LAB_WORK", ">") is not None


async def test_a_zones_processes_hear_their_own_answers_alone(own_nats_stack: Any) -> None:
    """Both number their requests from one."""
    at = (own_nats_stack.url, own_nats_stack.seeds[Zone.LAB], Zone.LAB)
    async with connect(*at) as one, connect(*at) as two, asyncio.TaskGroup() as group:
        stored = [
            group.create_task(bus.store(lab_results(name, number), b"x", message_id=f"{name}{number}"))
            for number in range(20)
            for name, bus in (("one", one), ("two", two))
        ]

    assert sorted(task.result() for task in stored) == list(range(1, 41))


def test_pieces_are_small_and_few_and_leave_no_seed_out() -> None:
    for count, length in ((1, 1), (20, 1), (41, 1), (999_999, 1), (1_000_000, 3), (50, 1000)):
        pieces = cut(range(7, 7 + count), Kind(length=length))

        assert [seed for piece in pieces for seed in piece.seeds] == list(range(7, 7 + count))
        assert len(pieces) <= 1010 * length
