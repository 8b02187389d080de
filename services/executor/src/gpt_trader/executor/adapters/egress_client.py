"""The official client without a key: its base URL is the gate's egress, which signs what it lets through."""

from collections.abc import Mapping
from pathlib import Path

from coinbase.rest import RESTClient
from typing_extensions import override

from gpt_trader.runtime import tracing

_USER_AGENT = "gpt-trader-executor"
_ORIGIN = "X-Origin-Ns"


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

    @override
    def set_headers(self, method: str, path: str) -> Mapping[str, str]:
        """Add nothing secret; an order tells when the tick that caused it was seen."""
        del path
        origin = tracing.origin_ns() if method == "POST" else None
        timing = {} if origin is None else {_ORIGIN: str(origin)}
        return {"User-Agent": _USER_AGENT, "Content-Type": "application/json", **timing}
