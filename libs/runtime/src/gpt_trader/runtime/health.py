"""What a service says about itself over HTTP: alive, ready, why not, and its metrics."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import orjson
import prometheus_client
from aiohttp import web

from gpt_trader.runtime import logs

log = logs.get("health")

READY = prometheus_client.Gauge("service_ready", "1 while the service can do its work")

_SHUTDOWN_SECONDS = 1.0


class HealthSettings(Protocol):
    """Where the health server listens and where it leaves its address."""

    @property
    def health_host(self) -> str:
        """Address to listen on."""
        ...

    @property
    def health_port(self) -> int:
        """Port to listen on; 0 = any free port."""
        ...

    @property
    def run_dir(self) -> Path | None:
        """Folder that receives `<service>.health`."""
        ...


@dataclass(frozen=True, slots=True)
class Place:
    """Where the health server of a process without a profile listens; whoever starts it is told by other means."""

    health_host: str
    health_port: int
    run_dir: Path | None = None


@dataclass(slots=True)
class Health:
    """A service's word about itself; it starts as not ready."""

    service: str
    is_ready: bool = False
    detail: str = "starting"
    notes: dict[str, str] = field(default_factory=dict)

    def ready(self, is_ready: bool, detail: str = "") -> None:  # noqa: FBT001 - reads as ready(True, "…")
        """Say whether the service can do its work, and why not; a change is logged."""
        if is_ready != self.is_ready:
            log.info("readiness_changed", service=self.service, is_ready=is_ready, detail=detail)
        self.is_ready = is_ready
        READY.set(is_ready)
        self.detail = detail

    def note(self, key: str, value: object) -> None:
        """Leave a fact for the person who looks at `/health`."""
        self.notes[key] = str(value)


@asynccontextmanager
async def serve_health(settings: HealthSettings, health: Health) -> AsyncIterator[str]:
    """Serve `/livez`, `/readyz`, `/health` and `/metrics`; yields `host:port` and leaves it in the run folder."""
    application = web.Application()
    application.add_routes([
        web.get("/livez", _alive),
        web.get("/readyz", _answer_of(health, is_strict=True)),
        web.get("/health", _answer_of(health, is_strict=False)),
        web.get("/metrics", _metrics),
    ])  # fmt: skip
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS)
    await runner.setup()
    try:
        site = web.TCPSite(runner, settings.health_host, settings.health_port)
        await site.start()
        host, port = runner.addresses[0][:2]
        address = f"{host}:{port}"
        log.info("health_served", service=health.service, address=address)
        _leave_address(settings.run_dir, health.service, address)
        yield address
    finally:
        await runner.cleanup()


async def _alive(_request: web.Request) -> web.Response:
    return web.Response(text="alive\n")


async def _metrics(_request: web.Request) -> web.Response:
    return web.Response(
        body=prometheus_client.generate_latest(), headers={"Content-Type": prometheus_client.CONTENT_TYPE_LATEST}
    )


def _answer_of(health: Health, *, is_strict: bool) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def answer(_request: web.Request) -> web.Response:
        body = {
            "service": health.service,
            "is_ready": health.is_ready,
            "detail": health.detail,
            "notes": health.notes,
        }
        status = web.HTTPServiceUnavailable.status_code if is_strict and not health.is_ready else web.HTTPOk.status_code
        return web.Response(body=orjson.dumps(body), status=status, content_type="application/json")

    return answer


def _leave_address(run_dir: Path | None, service: str, address: str) -> None:
    """Write the address in one step, so that a reader never sees half of it."""
    if run_dir is None:
        return
    run_dir.mkdir(parents=True, exist_ok=True)
    draft = run_dir / f".{service}.health"
    draft.write_text(address)
    draft.replace(run_dir / f"{service}.health")
