"""What a running system has written down, with every time as nanoseconds of the wall clock."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from harness import RunningSystem

from gpt_trader.contracts.subjects import Zone
from gpt_trader.runtime.bus import Bus, Received
from gpt_trader.runtime.clock import ClockSettings

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Scale:
    """Turns trading time back into real time."""

    origin: datetime
    start: datetime
    rate: float

    @classmethod
    def of(cls, clock: ClockSettings) -> "Scale":
        """Read the run's clock."""
        assert clock.clock_origin is not None
        assert clock.clock_start is not None
        return cls(clock.clock_origin, clock.clock_start, float(clock.clock_rate))

    def wall_ns(self, at: datetime | None) -> int | None:
        """Nanoseconds of the wall clock, exact to a microsecond."""
        return None if at is None else ns(self.origin + (at - self.start) / self.rate)


def accepted_at(running: RunningSystem) -> dict[str, int]:
    """Tell when the venue took each order, by client order id."""
    first: dict[str, int] = {}
    for event in running.books()["events"]:
        if "client_order_id" in event:
            first.setdefault(event["client_order_id"], event["accepted_at_ns"])
    return first


def history(running: RunningSystem, stream: str, since_ns: int, subject: str = ">") -> list[Received]:
    """Read what a stream stored since then."""

    async def work(bus: Bus) -> list[Received]:
        found = bus.history(stream, subject_filter=subject)
        return [one async for one in found if (ns(one.stored_at) or 0) >= since_ns]

    return running.as_zone(Zone.OPERATOR, work)


def journaled(folder: Path, kinds: set[str]) -> Iterable[dict[str, Any]]:
    """Yield payloads of a service's journal, in order."""
    for path in sorted(path for path in folder.glob("journal/*") if path.suffix in {".jsonl", ".journal"}):
        for line in path.read_bytes().splitlines():
            try:
                record = orjson.loads(line)
            except orjson.JSONDecodeError:
                continue  # the line that is being written now
            if record["kind"] in kinds:
                yield record["payload"]


def instant(text: str | None) -> datetime | None:
    """Parse what a journal wrote."""
    return None if text is None else datetime.fromisoformat(text)


def ns(at: datetime | None) -> int | None:
    """Nanoseconds since 1970."""
    if at is None:
        return None
    since = at - _EPOCH
    return (since.days * 86_400_000_000 + since.seconds * 1_000_000 + since.microseconds) * 1000
