"""How much a stream that drops nothing can still take."""

from pydantic import BaseModel, ValidationError

from gpt_trader.runtime.bus.errors import BusUnavailable
from gpt_trader.runtime.bus.link import Link

_ANSWER_SECONDS = 1.0


class _Config(BaseModel):
    max_bytes: int


class _State(BaseModel):
    bytes: int


class _Fill(BaseModel):
    config: _Config
    state: _State


async def room(link: Link, stream: str) -> int:
    """Return the bytes that are left before a stream is full; raises BusUnavailable if the server does not say."""
    try:
        answer = await link.ask(f"$JS.API.STREAM.INFO.{stream}", b"", None, _ANSWER_SECONDS)
        found = _Fill.model_validate_json(answer.data)
    except (TimeoutError, ValidationError) as error:
        raise BusUnavailable(f"{stream}: the server does not say how full it is ({type(error).__name__})") from error
    return found.config.max_bytes - found.state.bytes
