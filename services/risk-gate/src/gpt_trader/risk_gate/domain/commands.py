"""What an operator's command does: a kill needs nothing that parses, everything else is refused unless it does."""

from datetime import datetime, timedelta

from pydantic import ValidationError

from gpt_trader.contracts import subjects
from gpt_trader.contracts.account import Cause, TradingStatus
from gpt_trader.contracts.control import Adopt, Flatten, OperatorCommand, Pause, ReduceOnly, Reset, Resume
from gpt_trader.risk_gate.domain.consequences import halted, paused, reduce_only
from gpt_trader.risk_gate.domain.records import CommandReceived
from gpt_trader.risk_gate.domain.state import GateState
from gpt_trader.risk_gate.domain.strangers import halts
from gpt_trader.risk_gate.domain.trading_state import CauseCode, Clearing, clearing_of, standing

_MODELS: dict[str, type[OperatorCommand]] = {
    subjects.CONTROL_RESET: Reset,
    subjects.CONTROL_PAUSE: Pause,
    subjects.CONTROL_RESUME: Resume,
    subjects.CONTROL_REDUCE_ONLY: ReduceOnly,
    subjects.CONTROL_FLATTEN: Flatten,
    subjects.CONTROL_ADOPT: Adopt,
}
_SHOWN = 400
"""How much of a payload is kept in the record."""

_AFTER_FLATTEN = timedelta(hours=1)
"""How long a product that was flattened takes no entries, unless resumed: else a strategy would buy it back at once."""

_OF_DIFFERING_BOOKS = frozenset({CauseCode.BALANCE_MISMATCH, CauseCode.UNKNOWN_TRANSACTION})

Effect = tuple[tuple[Cause, ...], tuple[Cause, ...]]
"""Causes raised, causes cleared."""


def parsed(subject: str, payload: bytes) -> OperatorCommand | str:
    """Read a command; an empty payload means all defaults. A text says why there is none."""
    model = _MODELS.get(subject)
    if model is None:
        return f"{subject} is no command"
    try:
        return model.decode(payload) if payload.strip() else model()
    except ValidationError as error:
        return "; ".join(f"{'.'.join(map(str, one['loc'])) or 'payload'}: {one['msg']}" for one in error.errors())


def received(subject: str, payload: bytes, sequence: int, state: GateState, now: datetime) -> CommandReceived:
    """Decide what a control message does, and write it down whatever it is."""
    text = _text(payload)
    if subject == subjects.CONTROL_KILL:
        return _recorded(subject, text, sequence, now, "killed", ((kill(payload, now),), ()))
    command = parsed(subject, payload)
    if isinstance(command, str):
        return _recorded(subject, text, sequence, now, f"refused: {command}", ((), ()))
    if isinstance(command, Adopt) and standing(state.causes, None, now).status is TradingStatus.ACTIVE:
        return _recorded(subject, text, sequence, now, "refused: entries are allowed, stop them first", ((), ()))
    record = _recorded(subject, text, sequence, now, _accepted(command, state), _effect(command, state, now))
    excused = _excused(command, state) if isinstance(command, Reset) else ()
    books = command.books if isinstance(command, Adopt) else None
    return record.model_copy(update={"acknowledged": excused, "books": books, "reason": command.reason})


def kill(payload: bytes, now: datetime) -> Cause:
    """Halt, whatever was sent with it."""
    return halted(CauseCode.KILL, _text(payload), now)


def _effect(command: OperatorCommand, state: GateState, now: datetime) -> Effect:
    match command:
        case Pause():
            until = now + timedelta(minutes=command.minutes)
            return (paused(CauseCode.OPERATOR_PAUSE, command.reason, command.product, now, until),), ()
        case ReduceOnly():
            return (reduce_only(CauseCode.OPERATOR_REDUCE_ONLY, command.reason, now),), ()
        case Flatten():
            return (_after_flatten(command.product, now),), ()
        case Reset():
            return _reset(command, state, now)
        case Resume():
            return (), tuple(
                one for one in _clearable(state, Clearing.OPERATOR, command.product) if not _is_still_so(one, state)
            )
        case _:
            return (), ()


def _reset(command: Reset, state: GateState, now: datetime) -> Effect:
    """Clear what a reset may, but not the halt for orders that the operator did not name."""
    excused = _excused(command, state)
    raised = halts({own: code for own, code in state.strangers.items() if own not in excused}, now)
    staying = {cause.code for cause in raised}
    return raised, tuple(one for one in _clearable(state, Clearing.RESET, None) if one.code not in staying)


def _excused(command: Reset, state: GateState) -> tuple[str, ...]:
    """Return the strangers' orders that the operator saw: those named, and only with a reason."""
    return tuple(own for own in state.strangers if own in command.orders) if command.reason else ()


def _after_flatten(product: str | None, now: datetime) -> Cause:
    if product is None:
        return reduce_only(CauseCode.OPERATOR_REDUCE_ONLY, "flatten", now)
    return paused(CauseCode.OPERATOR_PAUSE, "flatten", product, now, now + _AFTER_FLATTEN)


def _clearable(state: GateState, by: Clearing, product: str | None) -> tuple[Cause, ...]:
    return tuple(
        cause
        for cause in state.causes
        if clearing_of(cause.code) is by and (product is None or cause.product == product)
    )


def _accepted(command: OperatorCommand, state: GateState) -> str:
    """Say that a command was carried out, and what a resume could not lift."""
    still = [one.code for one in state.causes if isinstance(command, Resume) and _is_still_so(one, state)]
    return f"accepted: the books still differ, so {', '.join(still)} stays" if still else "accepted"


def _is_still_so(cause: Cause, state: GateState) -> bool:
    """Whether the last comparison found a difference: a resume must not open a gap until the next one agrees."""
    if cause.code == CauseCode.ORDER_DRIFT:
        return bool(state.order_drifts)
    return cause.code in _OF_DIFFERING_BOOKS and state.mismatches > 0


def _text(payload: bytes) -> str:
    return payload.decode(errors="replace")[:_SHOWN]


def _recorded(subject: str, text: str, sequence: int, now: datetime, note: str, effect: Effect) -> CommandReceived:
    raised, cleared = effect
    return CommandReceived(
        subject=subject, payload=text, sequence=sequence, note=note, raised=raised, cleared=cleared, at=now
    )
