"""Where a local run keeps its state, its secrets and its logs."""

import shutil
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Paths of one run; each service's secrets are in a folder only its owner can read."""

    root: Path

    def of(self, owner: str) -> Path:
        """Return the private folder of a service, made on first use with mode 0700."""
        path = self.root / owner
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        return path

    def seed(self, zone: str) -> Path:
        """Return the nkey seed of a zone."""
        return self.of(zone) / f"{zone}.nk"

    def log(self, service: str) -> Path:
        """Return the file that receives a service's stdout and stderr."""
        return self.of("logs") / f"{service}.log"

    @property
    def profile(self) -> Path:
        """The configuration that all services of the run read."""
        return self.root / "app.yaml"

    @property
    def policy(self) -> Path:
        """The run's own copy of its limits; a running gate adopts what is made tighter in it."""
        return self.root / "policy.yaml"

    @property
    def targets(self) -> Path:
        """What there is to scrape, for Prometheus' file_sd; present while the stack is up."""
        return self.root / "prometheus-targets.json"

    @property
    def manifest(self) -> Path:
        """What runs where; present while the stack is up."""
        return self.root / "stack.json"

    def begin(self) -> None:
        """Make room for a run: the simulated exchange forgets, so the last run moves to `<name>.previous`."""
        if self.root.exists():
            previous = self.root.with_name(self.root.name + ".previous")
            if previous.exists():
                shutil.rmtree(previous)
            self.root.rename(previous)
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
