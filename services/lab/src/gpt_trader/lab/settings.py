"""What a worker can be told, and how a second interpreter is made as different as a pure function must not notice."""

import os
from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from gpt_trader.runtime.settings import ServiceSettings

HASH_SEED = "2718281828"
ZONE = "Pacific/Kiritimati"


class LabSettings(ServiceSettings):
    """Settings of a worker."""

    deliveries: Annotated[
        int, Field(ge=1, le=100, description="workers that may take a piece before it is reported as failed")
    ] = 5
    piece_seconds: Annotated[
        float, Field(gt=0, le=86_400, description="real time (seconds) that a piece may take before it is given up")
    ] = 1800


def other_surroundings() -> Mapping[str, str]:
    """Return this process's environment with another order of sets and another local time (UTC+14)."""
    return {**os.environ, "PYTHONHASHSEED": HASH_SEED, "TZ": ZONE}  # noqa: TID251 - this is settings.py
