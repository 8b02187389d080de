"""Which release a process runs: its version, and a digest of the contracts it speaks."""

from functools import cache
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files

_SHOWN = 12


@cache
def release_of(service: str) -> str:
    """Return `<version>+<digest>`; two processes of one release say the same, whatever their code was built as."""
    return f"{_version(service)}+{_contracts()}"


@cache
def _contracts() -> str:
    """Digest the contracts' sources: models, subjects and how ids are derived."""
    sources = (one for one in files("gpt_trader.contracts").iterdir() if one.name.endswith(".py"))
    found = sha256()
    for source in sorted(sources, key=lambda one: one.name):
        found.update(f"{source.name}\0".encode() + source.read_bytes() + b"\0")
    return found.hexdigest()[:_SHOWN]


def _version(service: str) -> str:
    try:
        return version(f"gpt-trader-{service}")
    except PackageNotFoundError:
        return "0"
