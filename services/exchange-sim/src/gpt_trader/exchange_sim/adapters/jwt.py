"""Judge bearer tokens as the venue does; always in real time."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random

import jwt

from gpt_trader.exchange_sim.adapters.keys import ApiKey
from gpt_trader.exchange_sim.ports import Stopwatch

MAX_LIFETIME_SECONDS = 120
VENUE_HOST = "api.coinbase.com"
_ISSUERS = frozenset({"cdp", "coinbase-cloud"})
_AUDIENCES = frozenset({"retail_rest_api_proxy", "cdp_service"})


@dataclass(frozen=True, slots=True, kw_only=True)
class JwtRules:
    """Switches of the verification."""

    clock_skew_s: float = 2.0
    single_use_nonce: bool = False
    spurious_401_rate: float = 0.0
    hosts: frozenset[str] = frozenset()


@dataclass(slots=True, kw_only=True)
class JwtJudge:
    """Knows the registered keys and, when nonces are single-use, the ones seen."""

    keys: Mapping[str, ApiKey]
    rules: JwtRules
    stopwatch: Stopwatch
    rng: Random
    _nonces: dict[str, float] = field(default_factory=dict)

    def key_for_request(self, header: str, method: str, host: str, path: str) -> ApiKey | None:
        """Return the key behind an Authorization header, or None when it must be refused."""
        scheme, _, token = header.partition(" ")
        if scheme != "Bearer":
            return None
        judged = self._verified(token)
        if judged is None:
            return None
        key, claims = judged
        uri = claims.get("uri")
        uris = claims.get("uris")
        if uri is None and isinstance(uris, list) and uris:
            uri = uris[0]
        return key if isinstance(uri, str) and self._matches(uri, method, host, path) else None

    def key_for_feed(self, token: str) -> ApiKey | None:
        """Return the key behind a WebSocket token; a token bound to a REST call opens no feed."""
        judged = self._verified(token)
        return None if judged is None or "uri" in judged[1] or "uris" in judged[1] else judged[0]

    def _matches(self, uri: str, method: str, host: str, path: str) -> bool:
        verb, _, target = uri.partition(" ")
        target = target.removeprefix("http://")
        name, slash, rest = target.partition("/")
        return verb == method and slash + rest == path and name in {host, VENUE_HOST} | self.rules.hosts

    def _verified(self, token: str) -> tuple[ApiKey, dict[str, object]] | None:
        try:
            header = jwt.get_unverified_header(token)
            key = self.keys.get(str(header.get("kid")))
            if key is None or header.get("alg") != key.algorithm:
                return None
            claims: dict[str, object] = jwt.decode(
                token,
                key.public_key,
                algorithms=[key.algorithm],
                options={"verify_exp": False, "verify_nbf": False, "verify_iat": False, "verify_aud": False},
            )
        except jwt.PyJWTError:
            return None
        is_valid = (
            claims.get("sub") == key.name
            and claims.get("iss") in _ISSUERS
            and _has_known_audience(claims)
            and self._is_timely(claims)
            and self._is_fresh(header.get("nonce"))
            and self.rng.random() >= self.rules.spurious_401_rate
        )
        return (key, claims) if is_valid else None

    def _is_timely(self, claims: dict[str, object]) -> bool:
        not_before, expires = claims.get("nbf"), claims.get("exp")
        if not isinstance(not_before, int) or not isinstance(expires, int):
            return False
        now = self.stopwatch.unix_ns() / 1e9
        return not_before <= now + self.rules.clock_skew_s and now < expires <= not_before + MAX_LIFETIME_SECONDS

    def _is_fresh(self, nonce: object) -> bool:
        if not self.rules.single_use_nonce:
            return True
        now = self.stopwatch.elapsed()
        if len(self._nonces) > 10000:
            self._nonces = {known: at for known, at in self._nonces.items() if now - at < MAX_LIFETIME_SECONDS}
        if not isinstance(nonce, str) or nonce in self._nonces:
            return False
        self._nonces[nonce] = now
        return True


def _has_known_audience(claims: dict[str, object]) -> bool:
    audience = claims.get("aud")
    if audience is None:
        return True
    named = audience if isinstance(audience, list) else [audience]
    return any(name in _AUDIENCES for name in named)
