"""The protections that can be taken away, one at a time: `lab storm --without NAME`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from gpt_trader.contracts.ids import FillId, VenueOrderId
from gpt_trader.contracts.intents import ApprovedIntent
from gpt_trader.executor.domain.submission import CreateReply, Declined, ErrorStatus, Silence
from gpt_trader.executor.domain.venue import VenueFill, VenueOrder
from gpt_trader.executor.ports import Exchange
from gpt_trader.executor.settings import ExecutorSettings
from gpt_trader.lab.storm.weakness import Flaw, LaxDesk, Weakness
from gpt_trader.risk_gate.domain.exposure import Approval
from gpt_trader.risk_gate.domain.seen import SeenIds
from gpt_trader.risk_gate.domain.state import GateState
from gpt_trader.risk_gate.ports import Permits
from gpt_trader.risk_gate.service.permit_desk import PermitDesk

_SERVER_ERROR = 500


@dataclass(slots=True)
class GuessingExchange:
    """The real exchange, whose words are bent: each flag is one guess that a client could make."""

    inner: Exchange
    takes_silence_for_no: bool = False
    lists_in_part: bool = False
    renames_fills: bool = False
    _named: int = field(default=0)

    def binds(self, intent: ApprovedIntent) -> bool:
        """Ask."""
        return self.inner.binds(intent)

    async def create(self, intent: ApprovedIntent) -> CreateReply:
        """Take no answer for a refusal."""
        reply = await self.inner.create(intent)
        is_unknown = isinstance(reply, Silence) or (isinstance(reply, ErrorStatus) and reply.status >= _SERVER_ERROR)
        return Declined(reason="no answer") if self.takes_silence_for_no and is_unknown else reply

    async def cancel(self, orders: Sequence[VenueOrderId]) -> None:
        """Ask."""
        await self.inner.cancel(orders)

    async def order(self, venue_order_id: VenueOrderId) -> VenueOrder | None:
        """Ask."""
        return await self.inner.order(venue_order_id)

    async def orders_since(self, start: datetime) -> Sequence[VenueOrder]:
        """Read no further than the first page, which lacks the newest order."""
        found = await self.inner.orders_since(start)
        return found[:-1] if self.lists_in_part else found

    async def open_orders(self) -> Sequence[VenueOrder]:
        """Ask."""
        return () if self.lists_in_part else await self.inner.open_orders()

    async def fills_of(self, venue_order_id: VenueOrderId) -> Sequence[VenueFill]:
        """Name each fill anew with each listing."""
        return self._renamed(await self.inner.fills_of(venue_order_id))

    async def fills_since(self, start: datetime) -> Sequence[VenueFill]:
        """Name each fill anew with each listing."""
        return self._renamed(await self.inner.fills_since(start))

    def _renamed(self, fills: Sequence[VenueFill]) -> Sequence[VenueFill]:
        if not self.renames_fills:
            return fills
        self._named += 1
        return [
            replace(one, fill_id=FillId(f"{one.fill_id}/{self._named}"), trade_id=f"{one.trade_id}/{self._named}")
            for one in fills
        ]


def _lax(
    bend: Callable[[GateState, Approval], GateState], *, ignores_expiry: bool = False
) -> Callable[[PermitDesk], Permits]:
    return lambda desk: LaxDesk(desk, bend, ignores_expiry)


def _no_margin(settings: ExecutorSettings) -> ExecutorSettings:
    return settings.model_copy(update={"token_life_seconds": 0, "clock_bound_seconds": 0, "visibility_seconds": 0})


_ALL = (
    Weakness(
        name="send-once",
        about="a create whose outcome is unknown is sent again",
        resends=True,
    ),
    Weakness(
        name="permit-once",
        about="an approval gets a permit as often as it asks",
        permits=_lax(lambda state, _approval: replace(state, permitted=SeenIds())),
    ),
    Weakness(
        name="kill-at-permit",
        about="a halt stops approvals, and is not looked at again when the permit is asked",
        permits=_lax(lambda state, _approval: replace(state, causes=())),
    ),
    Weakness(
        name="expiry-at-permit",
        about="a permit is given to an approval that has expired",
        permits=_lax(lambda state, _approval: state, ignores_expiry=True),
    ),
    Weakness(
        name="epoch-at-permit",
        about="a permit is given to an approval of an earlier life of the gate",
        permits=_lax(lambda state, approval: replace(state, epoch=approval.epoch)),
    ),
    Weakness(
        name="expiry-margin",
        about="an order that no listing shows is declared dead at once, not after the token and the listing's delay",
        settings=_no_margin,
    ),
    Weakness(
        name="silence-is-unknown",
        about="no answer to a create is taken for a refusal",
        exchange=lambda inner: GuessingExchange(inner, takes_silence_for_no=True),
    ),
    Weakness(
        name="complete-listing",
        about="a listing is believed that was not read to its end",
        exchange=lambda inner: GuessingExchange(inner, lists_in_part=True),
    ),
    Weakness(
        name="fill-ids",
        about="a fill that is listed twice is counted twice",
        exchange=lambda inner: GuessingExchange(inner, renames_fills=True),
    ),
    Weakness(
        name="journal-first",
        about="the executor acts before what it does is on disk",
        flaw=Flaw.WRITES_LATE,
    ),
    Weakness(
        name="gate-sync",
        about="the gate acts before what it decided is safe on its disk",
        flaw=Flaw.SYNCS_LATE,
    ),
    Weakness(
        name="ack-last",
        about="an intent is acknowledged before the executor has it on disk",
        flaw=Flaw.ACKS_FIRST,
    ),
    Weakness(
        name="say-until-stored",
        about="a report that did not get through is not said again",
        flaw=Flaw.GIVES_UP,
    ),
    Weakness(
        name="message-ids",
        about="the bus stores a repeated message as another one",
        flaw=Flaw.KEEPS_NO_IDS,
    ),
    Weakness(
        name="intents-read-back",
        about="a starting gate does not look what the bus kept of its last life",
        flaw=Flaw.HIDES_INTENTS,
    ),
)
PROTECTIONS: Mapping[str, Weakness] = {one.name: one for one in _ALL}
