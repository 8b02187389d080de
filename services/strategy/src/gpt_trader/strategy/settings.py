"""What the strategy service can be told."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated

from pydantic import Field

from gpt_trader.runtime.settings import ShardedSettings
from gpt_trader.strategy.domain.setup import Assignment, Setup


class StrategySettings(ShardedSettings):
    """Which strategies run on what; durations are trading time."""

    strategies: Annotated[
        tuple[Assignment, ...],
        Field(
            min_length=1,
            description="what runs: a list of strategy, products (none = the universe), interval, parameters",
        ),
    ] = (Assignment(strategy="trend"), Assignment(strategy="mean-reversion"))
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
