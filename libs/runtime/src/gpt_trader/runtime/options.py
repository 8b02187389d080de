"""Command-line options that are generated from a settings model, so that no setting can be forgotten."""

import argparse
import types
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import orjson
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from gpt_trader.runtime.profile import Value

_COLLECTIONS = (tuple, list, set, frozenset)


def add_options(parser: argparse.ArgumentParser, model: type[BaseModel]) -> None:
    """Add `--field-name` for every field, with its description, choices and default."""
    for name, field in model.model_fields.items():
        option = name.replace("_", "-")
        text = f"{field.description or name} ({_default(field)})".replace("%", "%%")
        if bool in _types(field.annotation):
            parser.add_argument(f"--{option}", dest=name, nargs="?", const="true", metavar="BOOL", help=text)
            parser.add_argument(
                f"--no-{option}", dest=name, action="store_const", const="false", help=argparse.SUPPRESS
            )
        else:
            parser.add_argument(f"--{option}", dest=name, metavar=_metavar(field), help=text)


def given_options(model: type[BaseModel], options: argparse.Namespace) -> dict[str, Value]:
    """Return the values that were given on the command line."""
    given = vars(options)
    return {
        name: Value(given[name], "--" + name.replace("_", "-"))
        for name in model.model_fields
        if given[name] is not None
    }


def from_text(field: FieldInfo, content: Any) -> Any:  # noqa: ANN401 - raw values go to pydantic, which checks them
    """Turn the text of an option or variable into what pydantic reads: seconds, comma lists, JSON for nested values."""
    if not isinstance(content, str):
        return content
    kinds = set(_types(field.annotation))
    if timedelta in kinds:
        return _seconds(content)
    if content.startswith(("[", "{")) and kinds & {*_COLLECTIONS, dict}:
        return _json(content)
    if kinds & set(_COLLECTIONS):
        return [item.strip() for item in content.split(",") if item.strip()]
    return content


def _json(content: str) -> Any:  # noqa: ANN401 - as above
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        return content


def _seconds(content: str) -> timedelta | str:
    try:
        return timedelta(microseconds=int(Decimal(content) * 1_000_000))
    except (InvalidOperation, OverflowError, ValueError):
        return content


def _types(annotation: Any) -> Iterator[Any]:  # noqa: ANN401 - annotations have no common type
    """Yield the plain types in an annotation, unwrapping Annotated and unions."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _types(get_args(annotation)[0])
    elif origin in {Union, types.UnionType}:
        for part in get_args(annotation):
            yield from _types(part)
    else:
        yield origin or annotation


def _metavar(field: FieldInfo) -> str:
    if get_origin(field.annotation) is Literal:
        return "{" + ",".join(str(choice) for choice in get_args(field.annotation)) + "}"
    kinds = [kind for kind in _types(field.annotation) if kind is not type(None)]
    if len(kinds) == 1 and isinstance(kinds[0], type) and issubclass(kinds[0], Enum):
        return "{" + ",".join(str(member.value) for member in kinds[0]) + "}"
    if timedelta in kinds:
        return "SECONDS"
    return "/".join(kind.__name__.upper() for kind in kinds if isinstance(kind, type)) or "VALUE"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    default = field.get_default(call_default_factory=True, validated_data={})
    if default is None:
        return "default: not set"
    if isinstance(default, timedelta):
        return f"default: {default.total_seconds():g}"
    return f"default: {default}"
