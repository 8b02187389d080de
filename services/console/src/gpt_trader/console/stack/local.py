"""Starts the whole system in order, watches over it, and takes it down in the reverse order."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import orjson

from gpt_trader.console.connection import Manifest, RunningProcess
from gpt_trader.console.stack.configuration import Exchange, places, profile_of, write_profile
from gpt_trader.console.stack.folder import RunFolder
from gpt_trader.console.stack.plan import SERVICES, Mode, Plan, Ports
from gpt_trader.console.stack.process import Process, ProcessFailed
from gpt_trader.console.stack.secrets import Secrets, make_secrets
from gpt_trader.contracts.market import is_future
from gpt_trader.contracts.subjects import Zone
from gpt_trader.runtime.clock import Clock, ClockSettings
from gpt_trader.runtime.infrastructure.provision import provision
from gpt_trader.runtime.infrastructure.servers import nats_argv, valkey_argv

READY_WITHIN = 30.0
_FUTURES_WALLET = 25000
"""Dollars that the demo has in the futures wallet from the start: without any, each position is near liquidation."""
"""Seconds a process may take until it is ready."""


@dataclass(slots=True, kw_only=True)
class LocalStack:
    """Everything that runs; `say` is told of each step as it is taken."""

    plan: Plan
    ports: Ports
    folder: RunFolder
    clock: Clock
    say: Callable[[str], None]
    processes: list[Process] = field(default_factory=list)
    _healths: dict[str, str] = field(default_factory=dict)

    async def start(self) -> Manifest:
        """Bring everything up until all services are ready; raises ProcessFailed naming what did not come up."""
        secrets = make_secrets(self.folder, self.clock.wall())
        await self._start_infrastructure(secrets)
        clock = ClockSettings()
        if self.plan.mode is Mode.DEMO:
            clock = ClockSettings(
                clock_origin=self.clock.wall(), clock_start=self.plan.start, clock_rate=self.plan.rate
            )  # fmt: skip
        exchange = None if self.plan.mode is Mode.DRY_RUN else await self._start_exchange(clock)
        write_profile(self.folder.profile, profile_of(self.plan, self.ports, self.folder, exchange, clock))
        for service in SERVICES:
            await self._start(service, [sys.executable, "-m", _module(service), "--profile", str(self.folder.profile)])
            self._healths[service] = f"http://127.0.0.1:{self.ports.health[service]}"
        await self._wait_until_ready()
        manifest = self._manifest(exchange, clock)
        self.folder.targets.write_bytes(orjson.dumps(targets(self._healths)))
        self.folder.manifest.write_bytes(orjson.dumps(manifest.model_dump(mode="json"), option=orjson.OPT_INDENT_2))
        return manifest

    async def supervise(self) -> None:
        """Restart what dies, until cancelled; raises ProcessFailed when something can't be brought back."""
        async with asyncio.TaskGroup() as group:
            for process in self.processes:
                group.create_task(process.supervise())

    async def stop(self) -> None:
        """End everything in reverse order; nothing is left running."""
        self.folder.manifest.unlink(missing_ok=True)
        self.folder.targets.unlink(missing_ok=True)
        for process in reversed(self.processes):
            await process.stop()

    async def _start_infrastructure(self, secrets: Secrets) -> None:
        nats = secrets.write_nats(self.folder.of("nats"), self.ports)
        await self._start("nats", nats_argv(nats))
        redis = secrets.write_redis(self.folder.of("redis"), self.ports)
        await self._start("redis", valkey_argv(redis))
        for name, port in (("nats", self.ports.nats), ("redis", self.ports.redis)):
            await self._wait_for_port(name, port)
        await provision(f"nats://127.0.0.1:{self.ports.nats}", secrets.provisioner_seed)
        self.say(f"bus nats://127.0.0.1:{self.ports.nats}, state store redis://127.0.0.1:{self.ports.redis}")

    async def _wait_for_port(self, name: str, port: int) -> None:
        process = next(process for process in self.processes if process.name == name)
        deadline = asyncio.get_running_loop().time() + READY_WITHIN
        while not await _answers(port):
            if process.pid is None:
                raise ProcessFailed(f"{name} ended at start: {process.last_words()} (log: {process.log})")
            if asyncio.get_running_loop().time() > deadline:
                raise ProcessFailed(f"{name} does not answer on port {port} (log: {process.log})")
            await asyncio.sleep(0.02)

    async def _start_exchange(self, clock: ClockSettings) -> Exchange:
        state = self.folder.of("exchange-sim")
        argv = [sys.executable, "-m", "gpt_trader.exchange_sim", *exchange_options(self.plan, self.ports, state, clock)]
        process = await self._start("exchange-sim", argv)
        announced = await _announcement(process)
        self._healths["exchange-sim"] = f"http://127.0.0.1:{self.ports.exchange_health}"
        self.say(f"exchange-sim https://{announced.rest} (books and faults: {announced.admin})")
        return announced

    async def _start(self, name: str, argv: list[str]) -> Process:
        process = Process(name=name, argv=argv, log=self.folder.log(name))
        self.processes.append(process)
        await process.start()
        return process

    async def _wait_until_ready(self) -> None:
        waiting = dict(self._healths)
        deadline = asyncio.get_running_loop().time() + READY_WITHIN
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session:
            while waiting:
                for service in list(waiting):
                    process = next(process for process in self.processes if process.name == service)
                    if process.pid is None:
                        raise ProcessFailed(f"{service} ended at start: {process.last_words()} (log: {process.log})")
                    if await _is_ready(session, waiting[service]):
                        del waiting[service]
                        self.say(f"{service} is ready: {self._healths[service]}/health")
                if asyncio.get_running_loop().time() > deadline:
                    raise ProcessFailed(
                        f"not ready after {READY_WITHIN:g} s: {', '.join(waiting)} (logs: {self.folder.root / 'logs'})"
                    )
                await asyncio.sleep(0.1)

    def _manifest(self, exchange: Exchange | None, clock: ClockSettings) -> Manifest:
        return Manifest(
            supervisor_pid=os.getpid(),
            nats_url=f"nats://127.0.0.1:{self.ports.nats}",
            nats_monitor=f"http://127.0.0.1:{self.ports.nats_monitor}",
            operator_seed=self.folder.seed("operator"),
            gate_journal=self.folder.of("risk-gate") / "journal" / "gate.jsonl",
            exchange_rest=places(self.plan, exchange).orders["venue_rest"],
            exchange_admin=None if exchange is None else exchange.admin,
            clock=clock,
            processes=tuple(
                RunningProcess(
                    name=process.name, pid=process.pid, health=self._healths.get(process.name), log=process.log
                )
                for process in self.processes
            ),
        )


@asynccontextmanager
async def running(stack: LocalStack) -> AsyncIterator[Manifest]:
    """Start, supervise in the background, and always stop."""
    try:
        manifest = await stack.start()
        async with asyncio.TaskGroup() as group:
            watch = group.create_task(stack.supervise())
            yield manifest
            watch.cancel()
    finally:
        await stack.stop()


def targets(healths: Mapping[str, str]) -> list[dict[str, object]]:
    """Say what Prometheus shall scrape, as its file_sd reads it; the label is the one that rules and dashboards use."""
    return [
        {"targets": [address.removeprefix("http://")], "labels": {"service": service}}
        for service, address in sorted(healths.items())
    ]


def exchange_options(plan: Plan, ports: Ports, state: Path, clock: ClockSettings) -> list[str]:
    """Spell the exchange's command line."""
    futures = [product for product in plan.products if is_future(product)]
    options: dict[str, object] = {
        "--port": ports.exchange,
        "--admin-port": ports.exchange_admin,
        "--health-port": ports.exchange_health,
        "--state-dir": state,
        "--seed": plan.seed,
        "--products": ",".join(product for product in plan.products if not is_future(product)),
        "--ticks-per-second": plan.ticks_per_second,
        "--clock-rate": clock.clock_rate,
    }
    if clock.clock_origin is not None and clock.clock_start is not None:
        options |= {"--clock-origin": clock.clock_origin.isoformat(), "--clock-start": clock.clock_start.isoformat()}
    if plan.mode is Mode.PAPER:
        options |= {"--follow": f"nats://127.0.0.1:{ports.nats}", "--follow-seed-file": state / f"{Zone.EXCHANGE}.nk"}
    if futures:
        options |= {"--futures": ",".join(futures), "--futures-wallet": _FUTURES_WALLET}
    if plan.scenario is not None:
        options |= {"--scenario": plan.scenario, "--record": state / "faults.jsonl"}
    words = [str(word) for option in options.items() for word in option]
    return [*words, "--replay", *map(str, plan.replay)] if plan.replay else words


async def _announcement(process: Process) -> Exchange:
    deadline = asyncio.get_running_loop().time() + READY_WITHIN
    while asyncio.get_running_loop().time() < deadline:
        for line in process.log.read_bytes().splitlines():
            if line.startswith(b'{"rest"'):
                return Exchange.model_validate_json(line)
        if process.pid is None:
            raise ProcessFailed(f"exchange-sim refused to start: {process.last_words()} (log: {process.log})")
        await asyncio.sleep(0.05)
    raise ProcessFailed(f"exchange-sim said nothing within {READY_WITHIN:g} s (log: {process.log})")


async def _answers(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def _is_ready(session: aiohttp.ClientSession, health: str) -> bool:
    try:
        async with session.get(f"{health}/readyz") as answer:
            return answer.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False


def _module(service: str) -> str:
    return f"gpt_trader.{service.replace('-', '_')}"
