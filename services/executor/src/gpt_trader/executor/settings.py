"""What the executor can be told."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated

from pydantic import Field

from gpt_trader.executor.domain.venue import Fence
from gpt_trader.executor.service.terms import Terms
from gpt_trader.runtime.settings import ServiceSettings


class ExecutorSettings(ServiceSettings):
    """Where the egress is and how patient to be; all durations are real time."""

    egress: Annotated[
        str, Field(pattern=r"^[A-Za-z0-9.-]+:[0-9]{1,5}$", description="the gate's egress, host:port: the only way out")
    ]
    egress_ca_file: Annotated[Path, Field(description="PEM file of the authority that signed the egress certificate")]
    gate_public_key_file: Annotated[Path, Field(description="file with the gate's base64 Ed25519 public key, pinned")]
    gate_key_id: Annotated[str, Field(description="id under which the gate signs with that key")] = "gate"
    journal_dir: Annotated[Path, Field(description="folder of the executor's fsynced journal")]
    request_timeout_seconds: Annotated[
        int, Field(ge=1, le=60, description="silence after which a request is given up; a create is then unknown")
    ] = 10
    reconcile_seconds: Annotated[
        int, Field(ge=1, le=3600, description="seconds between two reconciliations with the venue")
    ] = 60
    resolve_seconds: Annotated[
        int, Field(ge=1, le=60, description="seconds between two listings while an outcome is unknown")
    ] = 2
    token_life_seconds: Annotated[
        int, Field(ge=1, le=120, description="longest life of a venue token that the gate signs, seconds")
    ] = 15
    clock_bound_seconds: Annotated[
        int, Field(ge=0, le=60, description="largest difference between our clocks and the venue's, seconds")
    ] = 2
    visibility_seconds: Annotated[
        int, Field(ge=0, le=600, description="longest time until the venue lists an order it took, seconds")
    ] = 30
    state_max_age_seconds: Annotated[
        int, Field(ge=1, le=30, description="age at which the gate's trading state no longer allows sending, seconds")
    ] = 3
    cancel_entries_on_exit: Annotated[
        bool, Field(description="whether a clean stop cancels open entries first; exits and stops always stay")
    ] = True
    drain_seconds: Annotated[
        int, Field(ge=1, le=300, description="longest time a clean stop may take to confirm and report, seconds")
    ] = 25
    retry_seed: Annotated[int, Field(ge=0, description="seed of the jitter between repeated reads")] = 1

    def terms(self) -> Terms:
        """Return the numbers that the service lives by."""
        return Terms(
            fence=Fence(
                token_life=timedelta(seconds=self.token_life_seconds),
                clock_bound=timedelta(seconds=self.clock_bound_seconds),
                visibility=timedelta(seconds=self.visibility_seconds),
            ),
            reconcile_every=timedelta(seconds=self.reconcile_seconds),
            resolve_every=timedelta(seconds=self.resolve_seconds),
            state_max_age=timedelta(seconds=self.state_max_age_seconds),
            cancels_entries_on_exit=self.cancel_entries_on_exit,
            drain_within=timedelta(seconds=self.drain_seconds),
        )
