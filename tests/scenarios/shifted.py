"""Runs a service on a machine whose clock somebody sets: the file named first holds by how many seconds.

python shifted.py OFFSET_FILE MODULE ARGUMENTS...
"""

import runpy
import sys
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Self

from gpt_trader.runtime import clock

OFFSET = Path(sys.argv[1])


class SetClock(datetime):
    """The machine's clock, as many seconds off as the file says at that moment."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        return super().now(tz) + timedelta(seconds=float(OFFSET.read_text() or 0))


clock.datetime = SetClock  # type: ignore[misc] - the one place where a service reads the machine's clock
del sys.argv[:2]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
