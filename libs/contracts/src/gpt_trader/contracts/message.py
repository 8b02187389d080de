"""What all messages share: frozen, versioned, UTC times, exact decimals."""

import hashlib
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

import orjson
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, PlainValidator, WithJsonSchema

_LONGEST_REMARK = 400
_MOST_DIGITS = 60
GENESIS_HASH = "0" * 64
"""The previous-hash of the first record of a chain."""


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("is outside the years that UTC can express") from None


def _finite(value: Decimal) -> Decimal:
    if not value.is_finite():
        raise ValueError("must be a finite number")
    is_long = len(str(value)) > _MOST_DIGITS  # the spelling is found faster than the digits, and is never shorter
    if abs(value.adjusted()) > _MOST_DIGITS or (is_long and len(value.as_tuple().digits) > _MOST_DIGITS):
        raise ValueError(f"must have at most {_MOST_DIGITS} digits")
    return value


def _spelled(value: object) -> str:
    if not isinstance(value, str | Decimal):
        raise ValueError("must be a word or a decimal")  # noqa: TRY004 - pydantic collects ValueError only
    spelling = str(value)
    if len(spelling) > _LONGEST_REMARK:
        raise ValueError(f"must have at most {_LONGEST_REMARK} characters")
    return spelling


Instant = Annotated[AwareDatetime, AfterValidator(_in_utc)]
"""A point in time; foreign offsets are converted, a naive time is refused."""
Amount = Annotated[Decimal, AfterValidator(_finite)]
"""Any finite decimal."""
Positive = Annotated[Decimal, AfterValidator(_finite), Field(gt=0)]
NonNegative = Annotated[Decimal, AfterValidator(_finite), Field(ge=0)]
Fraction = Annotated[Decimal, AfterValidator(_finite), Field(ge=0, le=1)]
Remark = Annotated[Decimal | str, PlainValidator(_spelled), WithJsonSchema({"type": "string"})]
"""A figure or a word of evidence; a number is kept as its spelling, so that both survive the wire unchanged."""
Evidence = Annotated[dict[Annotated[str, Field(max_length=64)], Remark], Field(max_length=40)]
"""What a request was made from; bounded, for it is embedded in the decision on it."""
Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
"""A word that is safe as one token of a subject."""
Product = Annotated[str, Field(pattern=r"^[A-Z0-9]{1,20}(-[A-Z0-9]{1,20}){1,3}$", max_length=48)]


class Message(BaseModel):
    """An event: readers ignore fields they do not know, so that services can be upgraded one by one."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    v: Literal[1] = 1

    def encode(self) -> bytes:
        """Serialize for the wire; `decode` is its inverse."""
        return self.__pydantic_serializer__.to_json(self)

    @classmethod
    def decode(cls, payload: bytes | str) -> Self:
        """Parse a wire message; raises pydantic.ValidationError naming each bad field."""
        return cls.model_validate_json(payload)


class Command(Message):
    """A request to act: an unknown field is refused, for it may change the meaning."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


def canonical(value: Any) -> bytes:  # noqa: ANN401 - anything orjson can write
    """One byte form per value: sorted keys, decimals as strings, UTC times."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_UTC_Z, default=_plain)


def embedded(form: bytes) -> orjson.Fragment:
    """Put the canonical form of a value into a larger value, as it is."""
    return orjson.Fragment(form)


def _plain(value: object) -> Any:  # noqa: ANN401 - the shape orjson asks of a default
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    raise TypeError(f"{type(value).__name__} has no canonical form")


def digest(payload: bytes) -> str:
    """SHA-256 in lower-case hex."""
    return hashlib.sha256(payload).hexdigest()
