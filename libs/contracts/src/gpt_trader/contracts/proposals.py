"""What learning may suggest, what an operator says to it, and what the gate adopts."""

from typing import Annotated, Literal

from pydantic import Field

from gpt_trader.contracts.message import Amount, Command, Evidence, Instant, Message, Name


class ParameterChange(Message):
    """One bounded step of one parameter."""

    name: Name
    before: Amount
    after: Amount


class Proposal(Message):
    """A bounded parameter diff with its evidence; it changes nothing by itself."""

    proposal_id: Name
    strategy: Name
    changes: Annotated[tuple[ParameterChange, ...], Field(min_length=1)]
    evidence: Evidence
    created_at: Instant
    expires_at: Instant


class Approval(Command):
    """An operator's verdict on a proposal."""

    proposal_id: Name
    verdict: Literal["approve", "reject"]
    operator: str
    decided_at: Instant


class Parameters(Message):
    """Parameters a strategy shall use from now on; every decision names the version."""

    strategy: Name
    version: str
    values: dict[str, Amount]
    adopted_at: Instant
