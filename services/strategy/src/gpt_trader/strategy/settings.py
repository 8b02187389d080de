"""What the strategy service can be told."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from gpt_trader.contracts.sharding import Shard
from gpt_trader.contracts.telemetry import MOST_SHARDS
from gpt_trader.runtime.settings import ServiceSettings
from gpt_trader.strategy.domain.setup import Assignment, Setup


class StrategySettings(ServiceSettings):
    """Which strategies run on what; durations are trading time."""

    strategies: Annotated[
        tuple[Assignment, ...],
        Field(
            min_length=1,
            description="what runs: a list of strategy, products (none = the universe), interval, parameters",
        ),
    ] = (Assignment(strategy="trend"), Assignment(strategy="mean-reversion"))
    shard_index: Annotated[int, Field(ge=0, description="which share of the products is ours, from 0")] = 0
    shard_count: Annotated[int, Field(ge=1, le=MOST_SHARDS, description="processes that share the products")] = 1
    signal_ttl: Annotated[
        timedelta, Field(gt=timedelta(0), le=timedelta(minutes=10), description="life of a signal, seconds")
    ] = timedelta(seconds=30)
    max_tick_age: Annotated[
        timedelta, Field(gt=timedelta(0), le=timedelta(minutes=2), description="older ticks move no exit, seconds")
    ] = timedelta(seconds=30)
    retained_candles: Annotated[
        int, Field(ge=50, le=2000, description="candles kept per strategy and product, and read back at start")
    ] = 300
    no_trade_every: Annotated[
        timedelta, Field(gt=timedelta(0), description="least time between two equal reasons for no trade, seconds")
    ] = timedelta(seconds=60)
    record_dir: Annotated[
        Path | None,
        Field(description="folder that receives every input in order, in strategy.jsonl or a file per shard"),
    ] = None

    def setup(self) -> Setup:
        """Return what the domain starts from."""
        return Setup(
            assignments=self.strategies,
            signal_ttl=self.signal_ttl,
            max_tick_age=self.max_tick_age,
            retained_candles=self.retained_candles,
            shard_index=self.shard_index,
            shard_count=self.shard_count,
        )

    def shard(self) -> Shard:
        """Return which of the processes this one is."""
        return Shard(index=self.shard_index, count=self.shard_count)

    @model_validator(mode="after")
    def _shard_is_one_of_them(self) -> Self:
        if self.shard_index >= self.shard_count:
            raise ValueError(f"shard_index must be below shard_count ({self.shard_count})")
        return self
