"""The limit: as many trivial nats-py processes as the real chain has, same hops, same payload sizes, no work.

tick (core) -> signal (JetStream, fsynced) -> intent (JetStream, fsynced, expected sequence) -> order (request/reply,
twice: executor -> egress -> venue). Each stage is a process of its own; latency is taken from the tick's
departure to the last stage's arrival, on the machine's one clock. Nothing is parsed, checked, signed, encrypted or
journaled: what the real chain takes beyond this is the price of its promises.
"""

import asyncio
import multiprocessing
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import nats
import uvloop
from nats.aio.client import Client
from nats.aio.msg import Msg

TICK = 289
"""Payload bytes of a real tick."""
_NATS_SERVER = Path(sys.executable).parent / "nats-server"

CONFIG = """
listen: 127.0.0.1:{port}
jetstream {{ store_dir: "{folder}", sync_interval: always }}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Ticks per second, every n-th of which becomes an order, and the sizes of the real messages."""

    rate: int
    every: int
    seconds: float
    signal_bytes: int
    intent_bytes: int


def _padded(stamp: bytes, size: int) -> bytes:
    return stamp.ljust(size, b" ")


async def _stage(url: str, ready: object, work: Callable[[Client], Awaitable[None]]) -> None:
    client = await nats.connect(url)
    await work(client)
    ready.set()  # type: ignore[attr-defined]
    await asyncio.Event().wait()


def _strategy(url: str, ready: object, every: int, size: int) -> None:
    seen = 0

    async def work(client: Client) -> None:
        stream = client.jetstream()

        async def on_tick(message: Msg) -> None:
            nonlocal seen
            seen += 1
            if seen % every == 0:
                await stream.publish("signals.x", _padded(message.data.strip(), size))

        await client.subscribe("ticks.x", cb=on_tick)

    uvloop.run(_stage(url, ready, work))


def _gate(url: str, ready: object, size: int) -> None:
    async def work(client: Client) -> None:
        stream = client.jetstream()
        last = 0

        async def on_signal(message: Msg) -> None:
            nonlocal last
            headers = {"Nats-Expected-Last-Sequence": str(last)}
            last = (await stream.publish("intents.x", _padded(message.data.strip(), size), headers=headers)).seq
            await message.ack()

        await stream.subscribe("signals.x", durable="gate", cb=on_signal, manual_ack=True)

    uvloop.run(_stage(url, ready, work))


def _executor(url: str, ready: object) -> None:
    async def work(client: Client) -> None:
        async def on_intent(message: Msg) -> None:
            await client.request("egress", message.data, timeout=5)
            await message.ack()

        await client.jetstream().subscribe("intents.x", durable="executor", cb=on_intent, manual_ack=True)

    uvloop.run(_stage(url, ready, work))


def _egress(url: str, ready: object) -> None:
    async def work(client: Client) -> None:
        async def on_order(message: Msg) -> None:
            answer = await client.request("venue", message.data, timeout=5)
            await message.respond(answer.data)

        await client.subscribe("egress", cb=on_order)

    uvloop.run(_stage(url, ready, work))


def _venue(url: str, ready: object, latencies: object) -> None:
    async def work(client: Client) -> None:
        async def on_order(message: Msg) -> None:
            latencies.put((time.time_ns() - int(message.data)) / 1e6)  # type: ignore[attr-defined]
            await message.respond(b"{}")

        await client.subscribe("venue", cb=on_order)

    uvloop.run(_stage(url, ready, work))


async def _ticks(url: str, rate: int, seconds: float) -> None:
    client = await nats.connect(url)
    began = time.perf_counter()
    for number in range(int(rate * seconds)):
        due = began + number / rate
        if (pause := due - time.perf_counter()) > 0:
            await asyncio.sleep(pause)
        await client.publish("ticks.x", _padded(str(time.time_ns()).encode(), TICK))
    await client.flush()
    await asyncio.sleep(1)
    await client.close()


async def _streams(url: str) -> None:
    client = await nats.connect(url)
    stream = client.jetstream()
    await stream.add_stream(name="S", subjects=["signals.>"])
    await stream.add_stream(name="I", subjects=["intents.>"])
    await client.close()


def measure(folder: Path, load: Load) -> list[float]:
    """Return tick-to-venue latencies in ms."""
    port = _free_port()
    config = folder / "nats.conf"
    config.write_text(CONFIG.format(port=port, folder=folder / "store"))
    url = f"nats://127.0.0.1:{port}"
    context = multiprocessing.get_context("spawn")
    latencies = context.Queue()
    stages = [
        (_venue, (latencies,)),
        (_egress, ()),
        (_executor, ()),
        (_gate, (load.intent_bytes,)),
        (_strategy, (load.every, load.signal_bytes)),
    ]
    quiet = subprocess.DEVNULL
    with subprocess.Popen([str(_NATS_SERVER), "-c", str(config)], stdout=quiet, stderr=quiet) as nats_server:
        processes = []
        try:
            time.sleep(0.7)
            uvloop.run(_streams(url))
            for target, arguments in stages:
                ready = context.Event()
                process = context.Process(target=target, args=(url, ready, *arguments), daemon=True)
                process.start()
                processes.append(process)
                if not ready.wait(20):
                    sys.exit(f"bench: {target.__name__} did not come up")
            uvloop.run(_ticks(url, load.rate, load.seconds))
            return _drained(latencies)
        finally:
            for process in processes:
                process.kill()
                process.join()
            nats_server.terminate()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _drained(latencies: object) -> list[float]:
    """Take what has arrived; the first twentieth warmed things up."""
    found = []
    while not latencies.empty():  # type: ignore[attr-defined]
        found.append(latencies.get())  # type: ignore[attr-defined]
    return found[len(found) // 20 :]
