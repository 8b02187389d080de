"""Settings of a service: command line, then profile file, then environment, then defaults; each knows its origin."""

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, TypeAdapter, ValidationError, model_validator

from gpt_trader.contracts.message import Instant, canonical, digest
from gpt_trader.contracts.sharding import Shard
from gpt_trader.contracts.telemetry import MOST_SHARDS
from gpt_trader.runtime.clock import Rate, require_complete
from gpt_trader.runtime.guardian import meant_instead
from gpt_trader.runtime.logs import Format, Level, is_secret
from gpt_trader.runtime.options import add_options, from_text, given_options
from gpt_trader.runtime.profile import ProfileUnreadable, Value, read_profile

SHARED_SECTION = "runtime"
"""The profile's section that all services read."""
REFUSED = 2
"""Exit code of a process whose settings were refused."""


_SHOW = "--show-settings"
_REFERENCE = "--show-reference"


@dataclass(frozen=True, slots=True)
class Source:
    """Where settings were read from, so that they can be read again."""

    service: str
    argv: tuple[str, ...]
    profile: Path | None


class ServiceSettings(BaseModel):
    """What every service can be told; services add their own fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=True)

    nats_url: Annotated[str, Field(description="address of the bus")] = "nats://127.0.0.1:4222"
    nats_seed_file: Annotated[Path | None, Field(description="file (0600) with this service's nkey seed")] = None
    health_host: Annotated[str, Field(description="address of the health and metrics server")] = "127.0.0.1"
    health_port: Annotated[
        int, Field(ge=0, le=65535, description="port of the health and metrics server; 0 = any free port")
    ] = 0
    log_level: Annotated[Level, Field(description="least severe event that is logged")] = "info"
    log_format: Annotated[Format, Field(description="json for machines, console for people")] = "json"
    otlp_endpoint: Annotated[str | None, Field(description="OTLP/HTTP address that receives traces")] = None
    clock_origin: Annotated[Instant | None, Field(description="real time at which the scaled clock started")] = None
    clock_start: Annotated[Instant | None, Field(description="trading time at the clock's origin")] = None
    clock_rate: Annotated[Rate, Field(description="seconds of trading time per second of real time")] = Decimal(1)
    run_dir: Annotated[Path | None, Field(description="folder in which the service leaves its health address")] = None

    _origins: Mapping[str, str] = PrivateAttr(default_factory=dict)
    _source: Source | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _clock_is_complete(self) -> Self:
        require_complete(self)
        return self


class ShardedSettings(ServiceSettings):
    """A service whose processes share the products among them."""

    shard_index: Annotated[int, Field(ge=0, description="which share of the products is ours, from 0")] = 0
    shard_count: Annotated[int, Field(ge=1, le=MOST_SHARDS, description="processes that share the products")] = 1

    def shard(self) -> Shard:
        """Return which of the processes this one is."""
        return Shard(index=self.shard_index, count=self.shard_count)

    @model_validator(mode="after")
    def _shard_is_one_of_them(self) -> Self:
        if self.shard_index >= self.shard_count:
            raise ValueError(f"shard_index must be below shard_count ({self.shard_count})")
        return self


S = TypeVar("S", bound=ServiceSettings)


class SettingsRefused(Exception):
    """The settings can't be used; the message is every problem."""

    def __init__(self, problems: Sequence[str]) -> None:
        """Keep every problem."""
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


def load(model: type[S], *, service: str, argv: Sequence[str]) -> S:
    """Read a service's settings; SystemExit(2) names place, field, value and reason of everything that is wrong."""
    if _REFERENCE in argv:
        sys.stdout.write(json.dumps(reference(model)) + "\n")
        raise SystemExit(0)
    try:
        settings = read(model, service=service, argv=argv)
    except SettingsRefused as refused:
        for problem in refused.problems:
            sys.stderr.write(f"{service}: settings refused: {problem}\n")
        raise SystemExit(REFUSED) from None
    if _SHOW in argv:
        sys.stdout.write(json.dumps(shown(settings)) + "\n")
        raise SystemExit(0)
    return settings


def read(model: type[S], *, service: str, argv: Sequence[str]) -> S:
    """Read a service's settings; raises SettingsRefused."""
    prefix = service.upper().replace("-", "_") + "_"
    parser = argparse.ArgumentParser(
        prog=service,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=f"Each setting can also stand in the profile (sections `{SHARED_SECTION}:` and `{service}:`) or in the\n"
        f"environment (--nats-url is {prefix}NATS_URL). The command line wins, then the profile, then the environment.",
    )
    parser.add_argument("--profile", type=Path, metavar="FILE", help="YAML file with settings")
    parser.add_argument(_SHOW, action="store_true", help="print every value with its origin and end")
    parser.add_argument(_REFERENCE, action="store_true", help="print every setting with default and meaning, and end")
    add_options(parser, model)
    options = parser.parse_args(argv)
    try:
        found = {
            **_from_environment(model, prefix),
            **_from_profile(model, service, options.profile),
            **given_options(model, options),
        }
    except ProfileUnreadable as error:
        raise SettingsRefused([str(error)]) from error
    try:
        settings = model(**{name: from_text(model.model_fields[name], value.content) for name, value in found.items()})
    except ValidationError as error:
        problems = error.errors(include_url=False)
        raise SettingsRefused([_explained(problem, found, prefix) for problem in problems]) from None
    settings._origins = {name: value.origin for name, value in found.items()}  # noqa: SLF001 - our own private attribute
    settings._source = Source(service, tuple(argv), options.profile)  # noqa: SLF001 - as above
    return settings


def source(settings: ServiceSettings) -> Source | None:
    """Where the settings were read from; None if a program made them."""
    return settings._source  # noqa: SLF001 - as above


def fingerprint(settings: ServiceSettings) -> str:
    """Return a hash of every effective value; equal settings have equal hashes, whoever said them."""
    return digest(canonical(settings.model_dump(mode="json")))


def drift(settings: ServiceSettings) -> str:
    """Say what a start would do with the same words now: the settings that would change; empty if none."""
    origin = source(settings)
    if origin is None:
        return ""
    try:
        declared = read(type(settings), service=origin.service, argv=origin.argv)
    except SettingsRefused as refused:
        return f"a start would be refused: {refused}"
    values, others = settings.model_dump(mode="json"), declared.model_dump(mode="json")
    before, after = shown(settings), shown(declared)
    changed = [name for name in values if values[name] != others[name]]
    return "; ".join(f"{name}: {before[name]['value']} -> {after[name]['value']}" for name in changed)


def reference(model: type[ServiceSettings]) -> Mapping[str, Mapping[str, Any]]:
    """Give each setting's default and meaning, unit included; a setting without `default` must be given."""
    plain: TypeAdapter[Any] = TypeAdapter(Any)
    return {
        name: {
            **({} if field.is_required() else {"default": plain.dump_python(field.default, mode="json")}),
            "meaning": field.description,
        }
        for name, field in model.model_fields.items()
    }


def origins(settings: ServiceSettings) -> Mapping[str, str]:
    """Where each value came from: a command-line option, `file:line:column`, an environment variable or `default`."""
    return {name: settings._origins.get(name, "default") for name in type(settings).model_fields}  # noqa: SLF001 - as above


def shown(settings: ServiceSettings) -> Mapping[str, Mapping[str, Any]]:
    """Give each value with its origin; what may be secret is hidden, though settings only name files."""
    values = settings.model_dump(mode="json")
    return {
        name: {"value": "(hidden)" if is_secret(name) and values[name] else values[name], "origin": origin}
        for name, origin in origins(settings).items()
    }


def _from_environment(model: type[ServiceSettings], prefix: str) -> dict[str, Value]:
    names = {name: prefix + name.upper() for name in model.model_fields}
    environment = os.environ  # noqa: TID251 - this is settings.py
    return {name: Value(environment[key], f"${key}") for name, key in names.items() if key in environment}


def _from_profile(model: type[ServiceSettings], service: str, path: Path | None) -> dict[str, Value]:
    if path is None:
        return {}
    sections = read_profile(path)
    shared, own = sections.get(SHARED_SECTION, {}), sections.get(service, {})
    for section, values, known in (
        (SHARED_SECTION, shared, ServiceSettings.model_fields),
        (service, own, model.model_fields),
    ):
        unknown = [
            f"{value.origin}: {section}.{key} is no setting{meant_instead(key, known)}"
            for key, value in values.items()
            if key not in known
        ]
        if unknown:
            raise ProfileUnreadable("; ".join(unknown))
    return {**shared, **own}


def _explained(problem: Mapping[str, Any], found: Mapping[str, Value], prefix: str) -> str:
    field = ".".join(str(part) for part in problem["loc"]) or "settings"
    name = field.split(".", maxsplit=1)[0]
    if problem["type"] == "missing" and name not in found:
        option = name.replace("_", "-")
        return f"{field} is missing: give --{option}, the profile's {name}, or {prefix}{name.upper()}"
    if name not in found:
        return f"{field}: {problem['msg']}"
    shown = "(hidden)" if is_secret(name) else repr(found[name].content)
    return f"{found[name].origin}: {field} = {shown}: {problem['msg']}"
