"""Notices that the files no longer say what a running service was told (CF3)."""

from dataclasses import dataclass
from pathlib import Path

import prometheus_client

from gpt_trader.runtime.health import Health
from gpt_trader.runtime.settings import ServiceSettings, drift, fingerprint, source

DRIFT = prometheus_client.Gauge("settings_drift", "1 while a start would give other settings than the running ones")

Stamp = tuple[int, int, int]


@dataclass(slots=True)
class SettingsWatch:
    """Reads the profile again once it changed and has kept still for one look; words and environment can't change."""

    settings: ServiceSettings
    health: Health
    drift: str = ""
    _judged: tuple[Stamp | None] | None = None
    _last: Stamp | None = None

    def look(self) -> bool:
        """Whether something drifted that was not told before."""
        seen = _stamp(self.settings)
        is_still, self._last = seen == self._last, seen
        if (seen,) == self._judged or not is_still:
            return False
        self._judged = (seen,)
        before, self.drift = self.drift, drift(self.settings)
        DRIFT.set(1 if self.drift else 0)
        self.health.note("configuration", fingerprint(self.settings)[:12])
        self.health.note("settings_drift", self.drift or "none")
        return self.drift not in {"", before}


def _stamp(settings: ServiceSettings) -> Stamp | None:
    origin = source(settings)
    path: Path | None = origin.profile if origin else None
    if path is None:
        return None
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
