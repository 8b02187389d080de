"""G16: what the venue says of an order before it is made; no answer is a no, for that order."""

from dataclasses import dataclass
from decimal import Decimal

from gpt_trader.contracts.intents import Purpose
from gpt_trader.risk_gate.domain.approval import contract_size_of, spelled_quantity
from gpt_trader.risk_gate.domain.checks.case import UNASKED, Request
from gpt_trader.risk_gate.domain.policy import Policy
from gpt_trader.risk_gate.domain.review import Review, review
from gpt_trader.risk_gate.domain.spelling import Spelling, Ticket
from gpt_trader.risk_gate.domain.state import GateState
from gpt_trader.risk_gate.domain.terms import rules_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """The order that would be sent: `body` as the venue's preview takes it, that is without a client order id."""

    quantity: Decimal
    limit_price: Decimal
    body: bytes


def draft(request: Request, state: GateState, policy: Policy, spelling: Spelling) -> Draft | None:
    """Return what to ask the venue; None if nothing is to be asked, or something else objects already."""
    if not policy.preview.is_asked or request.purpose not in {Purpose.ENTRY, Purpose.EXIT}:
        return None
    found = review(request, state, policy)
    if found.limit_price is None or not _waits_for_the_venue_only(found):
        return None
    signal = request.signal
    spec = rules_of(request.market)
    if spec is None:
        return None
    ticket = Ticket(
        product=signal.product,
        side=signal.side,
        quantity=spelled_quantity(found.quantity, contract_size_of(spec)),
        increment=spec.base_increment,
        limit_price=found.limit_price,
        stop_price=found.stop_price,
        shape=found.shape,
        now=request.now,
    )
    return Draft(quantity=found.quantity, limit_price=found.limit_price, body=spelling.create(ticket, None).encode())


def _waits_for_the_venue_only(found: Review) -> bool:
    objections = [finding for finding in found.findings if finding is not None and not finding[0]]
    return len(objections) == 1 and objections[0] is UNASKED
