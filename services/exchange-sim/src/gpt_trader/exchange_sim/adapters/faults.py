"""Faults on command: each is armed a number of times and consumed by what it matches."""

from dataclasses import dataclass, field
from enum import StrEnum


class FaultKind(StrEnum):
    """What can go wrong."""

    REJECT_401_ONCE = "reject_401_once"
    HTTP_429 = "http_429"
    HTTP_500_BEFORE_ACCEPT = "http_500_before_accept"
    HTTP_500_AFTER_ACCEPT = "http_500_after_accept"
    DROP_CONNECTION_AFTER_ACCEPT = "drop_connection_after_accept"
    SLOW_MS = "slow_ms"
    LOST_REPLY = "lost_reply"
    WS_DROP = "ws_drop"
    WS_GAP = "ws_gap"
    WS_DUPLICATE = "ws_duplicate"
    STALE_FEED = "stale_feed"
    NO_IDEMPOTENCY = "no_idempotency"


@dataclass(slots=True, kw_only=True)
class Fault:
    """An armed fault; `match` must be part of `METHOD /path` or of `channel:product`."""

    kind: FaultKind
    match: str = ""
    times: int = 1
    value: int = 0


@dataclass(slots=True)
class FaultBoard:
    """All armed faults."""

    armed: list[Fault] = field(default_factory=list)

    def arm(self, fault: Fault) -> None:
        """Add a fault; zero times disarms its kind."""
        if fault.times == 0:
            self.armed = [known for known in self.armed if known.kind is not fault.kind]
        else:
            self.armed.append(fault)

    def strike(self, kind: FaultKind, target: str) -> Fault | None:
        """Consume one use of the first fault of this kind that matches."""
        for fault in self.armed:
            if fault.kind is kind and fault.match in target:
                fault.times -= 1
                if fault.times == 0:
                    self.armed.remove(fault)
                return fault
        return None

    def holds(self, kind: FaultKind, target: str) -> bool:
        """Whether a lasting fault is armed; nothing is consumed."""
        return any(fault.kind is kind and fault.match in target for fault in self.armed)
