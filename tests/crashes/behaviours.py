"""How the venue answers the create in whose life somebody dies."""

from dataclasses import dataclass

from cells import EXECUTOR, FILLED, VENUE, Cell
from stand import Stand

CREATE = "POST /api/v3/brokerage/orders"
HIDDEN_MS = 400
"""Longer than a restart and its first listing take; no longer than an order may be missing (`visibility_seconds`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """A fault of exchange-sim for one create (`kind`), or its lists lag behind (`hides_ms`)."""

    name: str
    kind: str = ""
    value: int = 0
    hides_ms: int = 0

    @property
    def is_good(self) -> bool:
        """Whether what the matrix says of a venue that behaves holds here."""
        return not self.kind

    def begin(self, stand: Stand) -> None:
        """Begin to misbehave."""
        if self.kind:
            stand.fault(self.kind, f"{CREATE}", value=self.value)
        stand.delays(visibility_ms=self.hides_ms)

    def end(self, stand: Stand) -> None:
        """Behave again."""
        if self.kind:
            stand.fault(self.kind, times=0)
        stand.delays(visibility_ms=0)


BEHAVIOURS = {
    one.name: one
    for one in (
        Behaviour(name="accepts"),
        Behaviour(name="accepts, then 500", kind="http_500_after_accept"),
        Behaviour(name="accepts, then drops", kind="drop_connection_after_accept"),
        Behaviour(name="accepts, answers half", kind="cut_mid_body"),
        Behaviour(name="accepts, never answers", kind="lost_reply"),
        Behaviour(name="refuses", kind="http_429"),
        Behaviour(name="drops: 500, nothing accepted", kind="http_500_before_accept"),
        Behaviour(name="slow", kind="slow_ms", value=300),
    )
}
HIDING = Behaviour(name="accepts, lists it later", hides_ms=HIDDEN_MS)
HIDDEN = (
    Cell(
        victim=EXECUTOR,
        point="venue accepted",
        when="after",
        place=f"{VENUE}.after",
        endings=frozenset({FILLED}),
    ),
    Cell(
        victim=EXECUTOR,
        point="request sent",
        when="after",
        place="risk_gate.permit_logged.before",
        endings=frozenset({FILLED}),
    ),
)
