"""Every message survives the wire, is described by a schema that changes only on purpose, and has an example."""

import dataclasses
import os
import types
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import annotated_types
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import AwareDatetime, BaseModel, ValidationError

from gpt_trader.contracts import account, control, decisions, intents, market, orders, proposals, signals, telemetry
from gpt_trader.contracts.message import Command, Message

CONTRACTS = Path(__file__).parents[3] / "libs" / "contracts"
MODULES = (account, control, decisions, intents, market, orders, proposals, signals, telemetry)
MODELS = sorted(
    {
        value
        for module in MODULES
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Message) and value not in {Message, Command}
    },
    key=lambda model: model.__name__,
)
MOMENTS = st.datetimes(min_value=datetime(2015, 1, 1), max_value=datetime(2040, 1, 1), timezones=st.just(UTC))
WORDS = st.text(alphabet="abcXYZ019", min_size=1, max_size=12)
BY_PATTERN = {
    "^[0-9a-f]{64}$": st.text(alphabet="0123456789abcdef", min_size=64, max_size=64),
    "^[A-Z0-9]{1,20}(-[A-Z0-9]{1,20}){1,3}$": st.sampled_from(["BTC-USD", "ETH-USDC", "BIP-20DEC30-CDE"]),
    "^[1-9][0-9]{0,3}[smhd]$": st.sampled_from(["15s", "1m", "6h", "1d"]),
}


def bounded(kind: type, metadata: list[Any]) -> st.SearchStrategy[Any]:
    low: Any = None
    high: Any = None
    strict = False
    for item in metadata:
        match item:
            case annotated_types.Gt(gt=bound):
                low, strict = bound, True
            case annotated_types.Ge(ge=bound):
                low = bound
            case annotated_types.Le(le=bound):
                high = bound
            case _:
                pass
    if kind is int:
        return st.integers(min_value=(low or 0) + (1 if strict else 0), max_value=high or 10**12)
    top = high if high is not None else 10**9
    smallest = Decimal("0.00000001") if strict else (low if low is not None else -(10**9))
    return st.decimals(min_value=smallest, max_value=top, places=8, allow_nan=False, allow_infinity=False)


def values(annotation: Any, metadata: list[Any]) -> st.SearchStrategy[Any]:  # noqa: PLR0911 - one case per kind of annotation
    if hasattr(annotation, "__metadata__"):
        inner = [*annotation.__metadata__, *metadata]
        flat = [part for item in inner for part in (item.metadata if hasattr(item, "metadata") else [item])]
        return values(annotation.__origin__, flat)
    patterns = [item.pattern for item in metadata if getattr(item, "pattern", None)]
    if patterns:
        return BY_PATTERN.get(patterns[0], WORDS)
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin in {Union, types.UnionType}:
        return st.one_of([st.none() if part is type(None) else values(part, []) for part in parts])
    if origin is Literal:
        return st.sampled_from(parts)
    if origin is tuple:
        return st.lists(values(parts[0], []), min_size=1, max_size=3).map(tuple)
    if origin in {dict, Mapping}:
        return st.dictionaries(values(parts[0], []), values(parts[1], []), max_size=3)
    return plain(annotation, metadata)


def plain(annotation: Any, metadata: list[Any]) -> st.SearchStrategy[Any]:  # noqa: PLR0911 - as above
    supertype = getattr(annotation, "__supertype__", None)
    if supertype is not None:
        return values(supertype, metadata)
    if annotation in {datetime, AwareDatetime}:
        return MOMENTS
    if annotation is bool:
        return st.booleans()
    if annotation in {Decimal, int}:
        return bounded(annotation, metadata)
    if annotation is str:
        return WORDS
    if issubclass(annotation, Enum):
        return st.sampled_from(list(annotation))
    if dataclasses.is_dataclass(annotation):
        hints = get_type_hints(annotation)
        fields = {field.name: values(hints[field.name], []) for field in dataclasses.fields(annotation)}
        return st.builds(annotation, **fields)
    assert issubclass(annotation, BaseModel), annotation
    return messages(annotation)


def messages(model: type[BaseModel]) -> st.SearchStrategy[Any]:
    fields = {name: values(field.annotation, list(field.metadata)) for name, field in model.model_fields.items()}
    return st.builds(model, **fields)


def test_all_messages_are_covered() -> None:
    assert len(MODELS) > 25


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_parse_after_serialize_is_identity(model: type[Message]) -> None:
    @settings(max_examples=40, deadline=None)
    @given(messages(model))
    def check(message: Message) -> None:
        assert model.decode(message.encode()) == message
        assert model.decode(message.encode()).encode() == message.encode()

    check()


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_the_schema_changes_only_on_purpose(model: type[Message]) -> None:
    path = CONTRACTS / "schemas" / f"{model.__name__}.json"
    schema = orjson.dumps(model.model_json_schema(), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS) + b"\n"
    if os.environ.get("WRITE_SCHEMAS"):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(schema)

    assert path.read_bytes() == schema, (
        f"rewrite it on purpose with WRITE_SCHEMAS=1 make test ARGS={Path(__file__).name}"
    )


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_each_message_has_an_example_that_parses(model: type[Message]) -> None:
    path = CONTRACTS / "examples" / f"{model.__name__}.json"

    example = model.decode(path.read_bytes())

    assert orjson.loads(example.encode()) == orjson.loads(path.read_bytes())


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_an_unknown_field_is_refused_by_commands_and_ignored_by_events(model: type[Message]) -> None:
    content = orjson.loads((CONTRACTS / "examples" / f"{model.__name__}.json").read_bytes())
    payload = orjson.dumps({**content, "surprise": 1})

    if issubclass(model, Command):
        with pytest.raises(ValidationError, match="surprise"):
            model.decode(payload)
    else:
        assert model.decode(payload) == model.decode(orjson.dumps(content))


@pytest.mark.parametrize("price", ["NaN", "Infinity", "-Infinity", "0", "-1", "", "abc", None])
def test_a_price_that_is_no_positive_number_is_refused(price: str | None) -> None:
    content = orjson.loads((CONTRACTS / "examples" / "Tick.json").read_bytes())

    with pytest.raises(ValidationError, match="bid"):
        market.Tick.decode(orjson.dumps({**content, "bid": price}))


def test_another_version_is_refused() -> None:
    content = orjson.loads((CONTRACTS / "examples" / "Tick.json").read_bytes())

    with pytest.raises(ValidationError, match=r"\bv\b"):
        market.Tick.decode(orjson.dumps({**content, "v": 2}))


def test_a_naive_time_is_refused() -> None:
    content = orjson.loads((CONTRACTS / "examples" / "Tick.json").read_bytes())

    with pytest.raises(ValidationError, match="occurred_at"):
        market.Tick.decode(orjson.dumps({**content, "occurred_at": "2026-01-01T00:00:00"}))


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"])
def test_a_time_that_utc_cannot_express_is_refused_like_any_bad_field(moment: str) -> None:
    content = orjson.loads((CONTRACTS / "examples" / "Signal.json").read_bytes())

    with pytest.raises(ValidationError, match="created_at"):
        signals.Signal.decode(orjson.dumps({**content, "created_at": moment}))


@pytest.mark.parametrize(
    "excess",
    [
        {"evidence": {f"figure_{number}": "1" for number in range(41)}},
        {"evidence": {"note": "x" * 401}},
        {"evidence": {"x" * 65: "1"}},
        {"caused_by": "x" * 201},
        {"reference_price": "1" + "0" * 200},
        {"confidence": "0." + "3" * 200},
    ],
    ids=["entries", "remark", "label", "cause", "large", "precise"],
)
def test_a_signal_is_too_small_to_burst_the_decision_on_it(excess: dict[str, Any]) -> None:
    content = orjson.loads((CONTRACTS / "examples" / "Signal.json").read_bytes())

    with pytest.raises(ValidationError, match=next(iter(excess))):
        signals.Signal.decode(orjson.dumps({**content, **excess}))
