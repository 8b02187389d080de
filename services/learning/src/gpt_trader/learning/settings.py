"""What can be configured, with units and bounds."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated

from pydantic import Field

from gpt_trader.runtime.settings import ServiceSettings


class Settings(ServiceSettings):
    """Settings of the learning service."""

    store_dir: Annotated[Path, Field(description="folder of the feedback store; made if missing")]
    batch_seconds: Annotated[
        float,
        Field(gt=0, le=3600, description="real time (seconds) after which rows are merged into Parquet"),
    ] = 60
    batch_rows: Annotated[int, Field(ge=1, le=100_000, description="rows after which they are merged at once")] = 2000
    counterfactual_horizon: Annotated[
        timedelta,
        Field(gt=timedelta(0), le=timedelta(days=7), description="how long (trading time) a denied entry is followed"),
    ] = timedelta(hours=1)
    taker_fee_bps: Annotated[
        Decimal, Field(ge=0, le=500, description="taker fee (basis points per leg) in counterfactual results")
    ] = Decimal(60)
