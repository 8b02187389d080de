"""Records of what is done with an order that rests."""

from typing import Literal

from gpt_trader.contracts.ids import ClientOrderId
from gpt_trader.contracts.message import Hash, Instant, Message, Positive


class AmendAsked(Message):
    """An order may be changed to this size and these prices by exactly this body, sent at most once; on disk first."""

    kind: Literal["amend_asked"] = "amend_asked"
    client_order_id: ClientOrderId
    quantity: Positive
    limit_price: Positive
    stop_price: Positive | None
    body: str
    body_sha256: Hash
    reason: str
    at: Instant


class AmendEnded(Message):
    """What became of an amendment, by the venue's word: what the order is now; until then the larger size counts."""

    kind: Literal["amend_ended"] = "amend_ended"
    client_order_id: ClientOrderId
    is_applied: bool
    quantity: Positive
    limit_price: Positive
    stop_price: Positive | None
    note: str
    at: Instant
