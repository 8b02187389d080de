"""Reads `universe.yaml`: which products we trade and how much we trust each (SPEC UN1).

```yaml
products:
  BTC-USD: T1
  XRP-USD: T2
```
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gpt_trader.contracts.market import Tier
from gpt_trader.contracts.message import Product


class UniverseFileInvalid(Exception):
    """The file cannot be used; the message names file, field and reason."""


class _UniverseFile(BaseModel):
    """Other sections belong to other services; what is ours must be exact."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    products: Annotated[dict[Product, Tier], Field(min_length=1)]


def tiers(path: Path) -> Mapping[str, Tier]:
    """Return the tier of each product; raises UniverseFileInvalid."""
    try:
        document = yaml.safe_load(path.read_text())
    except OSError as error:
        raise UniverseFileInvalid(f"{path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UniverseFileInvalid(f"{path}: not valid YAML: {error}") from error
    try:
        return _UniverseFile.model_validate(document).products
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))} = {e['input']!r}: {e['msg']}" for e in error.errors())
        raise UniverseFileInvalid(f"{path}: {problems}") from error
