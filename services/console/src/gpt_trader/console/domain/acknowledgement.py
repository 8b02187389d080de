"""When the gate's own word shows that it has obeyed a command, and not merely that it is alive."""

from gpt_trader.contracts import subjects
from gpt_trader.contracts.account import TradingState


def is_acknowledged(subject: str, product: str | None, state: TradingState) -> bool:
    """Whether the state's causes are what the command asks for; a state from before the command seldom is."""
    match subject:
        case subjects.CONTROL_KILL:
            return _has(state, "kill")
        case subjects.CONTROL_RESET:
            return not _has(state, "kill")
        case subjects.CONTROL_PAUSE:
            return _has(state, "operator_pause", product)
        case subjects.CONTROL_REDUCE_ONLY:
            return _has(state, "operator_reduce_only")
        case subjects.CONTROL_RESUME:
            return not (_has(state, "operator_pause", product) or _has(state, "operator_reduce_only", product))
        case subjects.CONTROL_FLATTEN:
            return _has(state, "operator_reduce_only" if product is None else "operator_pause", product)
        case _:
            raise KeyError(f"no acknowledgement is known for {subject!r}")


def _has(state: TradingState, code: str, product: str | None = None) -> bool:
    """Whether a cause holds; without a product, for any of them."""
    return any(cause.code == code and product in {None, cause.product} for cause in state.causes)
