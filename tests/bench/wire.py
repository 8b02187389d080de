"""A venue behind TLS for the executor's own client, and the moment at which each request is on the wire.

The venue is a process of its own, as the egress is: `python wire.py FOLDER` serves until its input ends.
"""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

from aiohttp import web
from requests.adapters import HTTPAdapter
from urllib3.connectionpool import HTTPSConnectionPool

from gpt_trader.exchange_sim.adapters.tls import server_context
from gpt_trader.executor.adapters.egress_client import EgressClient

_SENT = threading.local()


def _stamped(pool: type[HTTPSConnectionPool]) -> type[HTTPSConnectionPool]:
    """Have a pool's connections note when a request was sent."""

    class Connection(pool.ConnectionCls):  # type: ignore[name-defined,misc] - whichever the client uses
        def request(self, *arguments: Any, **options: Any) -> None:
            super().request(*arguments, **options)
            _SENT.at = perf_counter()

    class Pool(pool):  # type: ignore[valid-type,misc] - as above
        ConnectionCls = Connection

    return Pool


class TimedClient(EgressClient):
    """The executor's client; `sent` says when the last byte of each create was handed to the kernel."""

    def __init__(self, egress: str, ca_file: Path) -> None:
        super().__init__(egress, ca_file, 10)
        self.sent: dict[str, float] = {}
        adapter = self.session.get_adapter("https://")
        assert isinstance(adapter, HTTPAdapter)
        pools = adapter.poolmanager.pool_classes_by_scheme
        adapter.poolmanager.pool_classes_by_scheme = {"https": _stamped(pools["https"])}

    def post(self, url_path: str, params: Any = None, data: Any = None, **options: Any) -> Any:
        answer = super().post(url_path, params, data, **options)
        self.sent[data["client_order_id"]] = _SENT.at
        return answer


@contextmanager
def served(folder: Path) -> Iterator[TimedClient]:
    """Start the venue and open a client to it."""
    words = [sys.executable, str(Path(__file__).resolve()), str(folder)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        yield TimedClient(f"127.0.0.1:{port}", folder / "ca.pem")
        assert process.stdin is not None
        process.stdin.close()


async def _create(request: web.Request) -> web.Response:
    body = await request.json()
    success = {"order_id": body["client_order_id"], "client_order_id": body["client_order_id"]}
    return web.json_response({"success": True, "success_response": success})


async def _serve(folder: Path) -> None:
    tls, _ = server_context(folder, "127.0.0.1", datetime.now(UTC))
    application = web.Application()
    application.router.add_post("/api/v3/brokerage/orders", _create)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1])))
