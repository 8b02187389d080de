"""Tokens for the venue: made just in time, short-lived, never kept and never handed out."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

import jwt

from gpt_trader.risk_gate.adapters.keyfile import ExchangeKey
from gpt_trader.runtime.clock import Clock

LONGEST_LIFE = timedelta(seconds=120)
"""What the venue accepts at most."""
_NONCE_BYTES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """Signs one token per request; `host` is the venue's REST host (with port, if any) as the token must name it."""

    key: ExchangeKey
    host: str
    life: timedelta
    clock: Clock

    def __post_init__(self) -> None:
        """Refuse a life that the venue would refuse, or that would outlast an unknown outcome."""
        if not timedelta(seconds=1) <= self.life <= LONGEST_LIFE:
            raise ValueError(f"token life {self.life}: must be between 1 s and {LONGEST_LIFE}")

    def for_request(self, method: str, path: str, since: datetime | None = None) -> str:
        """Sign a token that opens this method and path, without query; its life counts from `since`, or from now."""
        return self._signed({"uri": f"{method} {self.host}{path}"}, since)

    def for_feed(self) -> str:
        """Sign a token for one WebSocket subscription; it opens no REST route."""
        return self._signed({})

    def _signed(self, claims: dict[str, object], since: datetime | None = None) -> str:
        begins = int((since or self.clock.wall()).timestamp())
        return jwt.encode(
            {
                "sub": self.key.name,
                "iss": "cdp",
                "nbf": begins,
                "exp": begins + int(self.life.total_seconds()),
                **claims,
            },
            self.key.private,
            algorithm=self.key.algorithm,
            headers={"kid": self.key.name, "nonce": secrets.token_hex(_NONCE_BYTES)},
        )
