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

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from gpt_trader.contracts.market import Tier
from gpt_trader.contracts.message import Product
from gpt_trader.runtime.guardian import RETIRED, Refused, read_model


class UniverseFileInvalid(Exception):
    """The file cannot be used; the message names file, field and reason."""


def _still_traded(product: str) -> str:
    reasons = [reason for word, reason in RETIRED.items() if word in product.lower()]
    if reasons:
        raise ValueError(reasons[0])
    return product


class _UniverseFile(BaseModel):
    """Other sections belong to other services; what is ours must be exact."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    products: Annotated[dict[Annotated[Product, AfterValidator(_still_traded)], Tier], Field(min_length=1)]


def tiers(path: Path) -> Mapping[str, Tier]:
    """Return the tier of each product; raises UniverseFileInvalid."""
    try:
        return read_model(path, _UniverseFile).products
    except Refused as refused:
        raise UniverseFileInvalid(str(refused)) from refused
