"""Taking back from a queue what nobody has taken yet."""

import orjson
from pydantic import BaseModel, ValidationError

from gpt_trader.runtime.bus.errors import BusUnavailable
from gpt_trader.runtime.bus.link import Link

_ANSWER_SECONDS = 10.0


class _Purged(BaseModel):
    purged: int


async def withdraw(link: Link, stream: str, pattern: str) -> int:
    """Remove the messages of a queue on these subjects and return how many; raises BusUnavailable if it can't tell."""
    request = orjson.dumps({"filter": pattern})
    try:
        answer = await link.ask(f"$JS.API.STREAM.PURGE.{stream}", request, None, _ANSWER_SECONDS)
        return _Purged.model_validate_json(answer.data).purged
    except (TimeoutError, ValidationError) as error:
        raise BusUnavailable(f"{stream}: nothing was taken back, or nobody says so ({type(error).__name__})") from error
