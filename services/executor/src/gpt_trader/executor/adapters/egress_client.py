"""The official client without a key: its base URL is the gate's egress, which signs what it lets through."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from coinbase.rest import RESTClient
from requests.adapters import HTTPAdapter
from typing_extensions import override
from urllib3.connection import HTTPSConnection
from urllib3.connectionpool import HTTPSConnectionPool

from gpt_trader.runtime import tracing

_MOST_AT_ONCE = 16
"""Connections kept, no fewer than there are threads that ask."""
_USER_AGENT = "gpt-trader-executor"
_CHAIN = {"X-Origin-Ns": tracing.ORIGIN_NS, "traceparent": tracing.TRACEPARENT}
"""What an order tells of the chain that caused it, by the header that carries it."""


class _OneWrite(HTTPSConnection):
    """Sends head and body with one write: two are two packets, and wake the egress for half a request."""

    _held: list[bytes] | None = None

    @override
    def request(self, *arguments: Any, **options: Any) -> None:
        """Gather what is sent inside, and send it."""
        held: list[bytes] = []
        self._held = held
        try:
            super().request(*arguments, **options)
        finally:
            self._held = None
        super().send(b"".join(held))

    @override
    def send(self, data: Any) -> None:
        """Hold a part of a request back until the request is whole."""
        if self._held is None:
            super().send(data)
        else:
            self._held.append(data)


class _Pool(HTTPSConnectionPool):
    ConnectionCls = _OneWrite


class _Adapter(HTTPAdapter):
    """Keeps a connection for each thread that may ask at once: one that is dropped costs a handshake."""

    @override
    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """Open connections of our own kind."""
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = {"https": _Pool}


class EgressClient(RESTClient):
    """Sends the client's requests as they are, but never a token, a proxy's or `.netrc`'s credentials, or twice."""

    def __init__(self, egress: str, ca_file: Path, timeout_seconds: int) -> None:
        """Trust one authority and nothing of the environment; `egress` is host:port."""
        super().__init__(api_key=None, api_secret=None, base_url=egress, timeout=timeout_seconds)
        self.timeout_seconds = timeout_seconds
        self.is_authenticated = True
        self.session.trust_env = False
        self.session.verify = str(ca_file)
        self.session.max_redirects = 0
        self.session.mount("https://", _Adapter(pool_maxsize=_MOST_AT_ONCE))

    @override
    def set_headers(self, method: str, path: str) -> Mapping[str, str]:
        """Add nothing secret; an order tells when the tick that caused it was seen, and its trace."""
        del path
        sent = tracing.carried() if method == "POST" else {}
        chain = {name: sent[kept] for name, kept in _CHAIN.items() if kept in sent}
        return {"User-Agent": _USER_AGENT, "Content-Type": "application/json", **chain}
