"""How a second interpreter is made as different from this one as a pure function must not notice."""

import os
from collections.abc import Mapping

HASH_SEED = "2718281828"
ZONE = "Pacific/Kiritimati"


def other_surroundings() -> Mapping[str, str]:
    """Return this process's environment with another order of sets and another local time (UTC+14)."""
    return {**os.environ, "PYTHONHASHSEED": HASH_SEED, "TZ": ZONE}  # noqa: TID251 - this is settings.py
