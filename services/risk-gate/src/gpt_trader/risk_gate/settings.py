"""What the gate can be told. Limits are not among it: they are in the policy file, and only there."""

import sys
from collections.abc import Sequence
from datetime import timedelta
from enum import StrEnum
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from gpt_trader.risk_gate.domain.policy import Policy, Profile
from gpt_trader.risk_gate.domain.policy.oddities import oddities
from gpt_trader.runtime.document import read_document
from gpt_trader.runtime.guardian import Refused, placed, read_model
from gpt_trader.runtime.settings import REFUSED, ServiceSettings

CONFIRMED = "YES"


class Mode(StrEnum):
    """Where orders go: a simulated venue, nowhere, or the real one."""

    DEMO = "demo"
    DRY_RUN = "dry_run"
    PAPER = "paper"
    LIVE = "live"


_REAL_VENUE = "coinbase.com"

_CLOCK_BOUND = timedelta(seconds=2)
"""How far the venue's clock may be from ours."""


class RiskGateSettings(ServiceSettings):
    """Everything the gate needs besides its policy; secrets are named by file."""

    mode: Annotated[Mode, Field(description="demo, dry_run (approve, never send), paper or live")] = Mode.DRY_RUN
    confirm_live: Annotated[str, Field(description="must be YES to start in live mode")] = ""
    policy_file: Annotated[Path, Field(description="YAML file with every limit")]
    journal_dir: Annotated[Path, Field(description="folder of gate.jsonl and its snapshots; must survive restarts")]
    snapshot_records: Annotated[
        int,
        Field(ge=100, le=1_000_000, description="records of the journal from one snapshot to the next"),
    ] = 10_000
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
    venue_hour_requests: Annotated[
        int,
        Field(ge=100, description="requests per hour that the venue grants this account; half is for cancels, exits"),
    ] = 10_000
    token_seconds: Annotated[int, Field(ge=1, le=15, description="life of a token for the venue, s")] = 15
    cdp_key_file: Annotated[Path, Field(description="the venue's JSON key file (0600)")]
    redis_url: Annotated[str, Field(description="address of the state store")] = "redis://127.0.0.1:6379"
    redis_password_file: Annotated[Path, Field(description="file (0600) with the state store's password")]
    store_answer_seconds: Annotated[float, Field(gt=0, le=5, description="longest wait for the state store, s")] = 0.2
    nats_monitor_url: Annotated[str, Field(description="monitoring address of the bus, asked whether it fsyncs")]
    listed_seconds: Annotated[
        float, Field(gt=0, le=300, description="time in which the venue's lists show an order that it took, s")
    ] = 30.0
    reconcile_seconds: Annotated[float, Field(ge=1, le=3600, description="pause between two reconciliations, s")] = 30.0
    futures_seconds: Annotated[
        float, Field(ge=1, le=3600, description="pause between two looks at margin and futures, s")
    ] = 10.0
    terms_seconds: Annotated[
        float, Field(ge=1, le=900, description="pause between two looks at the venue's terms of what is traded, s")
    ] = 60.0
    publish_seconds: Annotated[
        float, Field(gt=0, le=1, description="longest pause between two words on account and trading state, s")
    ] = 1.0
    min_free_megabytes: Annotated[
        int, Field(ge=1, description="room on the journal's disk below which entries stop, MB")
    ] = 256
    min_bus_kilobytes: Annotated[
        int, Field(ge=1, description="room in INTENTS, ORDERS and FILLS below which entries stop, kB")
    ] = 1000
    slow_write_seconds: Annotated[
        float, Field(gt=0, le=60, description="wait for the journal's disk above which entries stop, s")
    ] = 1.0
    kill_file: Annotated[Path | None, Field(description="trading halts while this file exists")] = None

    start_halted: Annotated[bool, Field(description="start in HALTED: nothing trades until a reset")] = False

    @property
    def min_free_bytes(self) -> int:
        """The room that the journal's disk must have."""
        return self.min_free_megabytes * 1_000_000

    @property
    def min_bus_bytes(self) -> int:
        """The room that each stream of the order's path must have."""
        return self.min_bus_kilobytes * 1000

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
        host = self.venue_rest.partition(":")[0].rstrip(".").lower()  # as a resolver reads it
        if self.mode in {Mode.DEMO, Mode.PAPER} and (host == _REAL_VENUE or host.endswith(f".{_REAL_VENUE}")):
            raise ValueError(f"mode is {self.mode}: venue_rest is the real venue, where orders need mode live")
        return self


def check_policy(path: Path) -> Sequence[str]:
    """Read the limits as a start would, and return a warning per odd value with its place."""
    policy = load_policy(path)
    document = read_document(path)
    return [placed(sentence, document) for sentence in oddities(policy)]


def load_policy(path: Path) -> Policy:
    """Read the limits; SystemExit(2) names file, line, field and reason of everything that is missing or wrong."""
    try:
        return read_model(path, Policy)
    except Refused as refused:
        for problem in refused.problems:
            sys.stderr.write(f"risk-gate: policy refused: {problem}\n")
        raise SystemExit(REFUSED) from None


def shipped_policies() -> tuple[Policy, ...]:
    """Read the limits of every profile that ships with the gate."""
    return tuple(shipped_policy(profile) for profile in Profile)


def shipped_policy(profile: Profile) -> Policy:
    """Read the limits of one of them."""
    return load_policy(Path(str(files("gpt_trader.risk_gate"))) / "policies" / f"{profile}.yaml")
