"""What may pass at all, decided on the raw request line and headers; everything not listed here is refused."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from multidict import CIMultiDictProxy

from gpt_trader.risk_gate.adapters.venue import PREFIX

LARGEST_BODY = 64 * 1024
ORDERS = f"{PREFIX}/orders"
BATCH_CANCEL = f"{PREFIX}/orders/batch_cancel"
USER_FEED = "/ws/user"

# No '%', '//', or '..' can match: what is compared here is what the venue will see.
_TARGET = re.compile(r"((?:/[A-Za-z0-9_-]+)+)(?:\?([A-Za-z0-9_=&.,:%+-]*))?")
_ID = r"[A-Za-z0-9-]{1,64}"
_READS = re.compile(
    PREFIX
    + rf"""/(?:
        accounts(?:/{_ID})?
      | orders/historical/{_ID}
      | products(?:/{_ID}(?:/candles|/ticker)?)?
      | product_book | best_bid_ask | time | key_permissions | transaction_summary
    )""",
    re.VERBOSE,
)
_OVERRIDES = ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override")


class Kind(StrEnum):
    """What a passing request is."""

    CREATE = "create"
    CANCEL = "cancel"
    READ = "read"
    WATCH = "watch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A request that may pass, and how it reads at the venue."""

    kind: Kind
    path: str
    query: str


@dataclass(frozen=True, slots=True)
class RouteRefused:
    """A request that may not pass, and why."""

    reason: str


_POSTS: Mapping[str, Kind] = {ORDERS: Kind.CREATE, BATCH_CANCEL: Kind.CANCEL}


def route(method: str, target: str, headers: CIMultiDictProxy[str]) -> Route | RouteRefused:
    """Classify a request by its raw target; nothing is decoded or normalised."""
    framing = _framing_objection(headers)
    if framing is not None:
        return RouteRefused(framing)
    spelled = _TARGET.fullmatch(target)
    if spelled is None:
        return RouteRefused("target is not a plain path with a plain query")
    path, query = spelled[1], spelled[2] or ""
    if method == "POST" and path in _POSTS:
        objection = _body_objection(headers) if "?" not in target else "a POST takes no query"
        return Route(kind=_POSTS[path], path=path, query="") if objection is None else RouteRefused(objection)
    if method == "GET" and _READS.fullmatch(path):
        return Route(kind=Kind.READ, path=path, query=query)
    if method == "GET" and target == USER_FEED:
        return Route(kind=Kind.WATCH, path=path, query="")
    return RouteRefused(f"{method} {path} is not on the list")


def _framing_objection(headers: CIMultiDictProxy[str]) -> str | None:
    """Object to whatever could make the next reader see another request than we do."""
    if any(name in headers for name in _OVERRIDES):
        return "method override"
    if "Content-Encoding" in headers:
        return "content-encoding"
    if "Transfer-Encoding" in headers:
        return "transfer-encoding: a plain body with its length is required"
    lengths = headers.getall("Content-Length", ["0"])
    if len(lengths) != 1 or not lengths[0].isdecimal():
        return "content-length must be given once, as a number"
    if int(lengths[0]) > LARGEST_BODY:
        return f"body over {LARGEST_BODY} bytes"
    return None


def _body_objection(headers: CIMultiDictProxy[str]) -> str | None:
    kinds = headers.getall("Content-Type", [])
    if [kind.partition(";")[0].strip().lower() for kind in kinds] != ["application/json"]:
        return "content-type must be application/json"
    return None
