"""What the gate can be told. Limits are not among it: they are in the policy file, and only there."""

import sys
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NoReturn, Self

import yaml
from pydantic import Field, ValidationError, model_validator

from gpt_trader.risk_gate.domain.policy import Policy
from gpt_trader.runtime.settings import REFUSED, ServiceSettings

CONFIRMED = "YES"


class Mode(StrEnum):
    """Where orders go: a simulated venue, nowhere, or the real one."""

    DEMO = "demo"
    DRY_RUN = "dry_run"
    PAPER = "paper"
    LIVE = "live"


_CLOCK_BOUND = timedelta(seconds=2)
"""How far the venue's clock may be from ours."""


class RiskGateSettings(ServiceSettings):
    """Everything the gate needs besides its policy; secrets are named by file."""

    mode: Annotated[Mode, Field(description="demo, dry_run (approve, never send), paper or live")] = Mode.DRY_RUN
    confirm_live: Annotated[str, Field(description="must be YES to start in live mode")] = ""
    policy_file: Annotated[Path, Field(description="YAML file with every limit")]
    journal_dir: Annotated[Path, Field(description="folder of gate.jsonl; must survive restarts")]
    signing_seed_file: Annotated[Path, Field(description="file (0600) with the Ed25519 seed that signs intents")]
    key_id: Annotated[str, Field(min_length=1, description="name of the signing key, as the executor pins it")] = (
        "gate-1"
    )
    egress_host: Annotated[str, Field(description="address on which the executor may reach the egress")] = "127.0.0.1"
    egress_port: Annotated[int, Field(ge=0, le=65535, description="port of the egress; 0 = any free port")] = 8443
    egress_certificate_file: Annotated[Path, Field(description="certificate chain of the egress")]
    egress_key_file: Annotated[Path, Field(description="private key of the egress's certificate")]
    venue_rest: Annotated[str, Field(description="host[:port] of the venue's REST service")] = "api.coinbase.com"
    venue_ws: Annotated[str, Field(description="address of the venue's user channel")] = (
        "wss://advanced-trade-ws-user.coinbase.com"
    )
    venue_ca_file: Annotated[
        Path | None, Field(description="authority of the venue's certificate; none = system's")
    ] = None
    venue_answer_seconds: Annotated[float, Field(gt=0, le=60, description="longest wait for the venue, s")] = 5.0
    token_seconds: Annotated[int, Field(ge=1, le=15, description="life of a token for the venue, s")] = 15
    cdp_key_file: Annotated[Path, Field(description="the venue's JSON key file (0600)")]
    redis_url: Annotated[str, Field(description="address of the state store")] = "redis://127.0.0.1:6379"
    redis_password_file: Annotated[Path, Field(description="file (0600) with the state store's password")]
    nats_monitor_url: Annotated[str, Field(description="monitoring address of the bus, asked whether it fsyncs")]
    reconcile_seconds: Annotated[float, Field(ge=1, le=3600, description="pause between two reconciliations, s")] = 60.0
    kill_file: Annotated[Path | None, Field(description="trading halts while this file exists")] = None

    @property
    def create_life(self) -> timedelta:
        """How long after its permit the venue may still accept a create: the answer's time, then the token's."""
        return timedelta(seconds=self.venue_answer_seconds + self.token_seconds) + _CLOCK_BOUND

    @model_validator(mode="after")
    def _live_is_confirmed(self) -> Self:
        if self.mode is Mode.LIVE and self.confirm_live != CONFIRMED:
            raise ValueError(f"mode is live: confirm_live must be {CONFIRMED}")
        if self.mode in {Mode.LIVE, Mode.PAPER, Mode.DRY_RUN} and self.clock_origin is not None:
            raise ValueError(f"mode is {self.mode}: a scaled clock is for the demo only")
        return self


def load_policy(path: Path) -> Policy:
    """Read the limits; SystemExit(2) names file, field and reason of everything that is missing or wrong."""
    try:
        document = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        _refuse([f"{path}: {error}"])
    try:
        return Policy.model_validate(document)
    except ValidationError as error:
        problems = error.errors(include_url=False)
        _refuse([f"{path}: {'.'.join(map(str, one['loc'])) or 'policy'}: {one['msg']}" for one in problems])


def _refuse(problems: list[str]) -> NoReturn:
    for problem in problems:
        sys.stderr.write(f"risk-gate: policy refused: {problem}\n")
    raise SystemExit(REFUSED)
