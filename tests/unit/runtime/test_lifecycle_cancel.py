"""A task that was told to end does end, also when a timeout ran out in the same moment."""

import asyncio
from contextlib import suppress

import pytest

from gpt_trader.runtime.lifecycle import heed_cancel


async def test_a_loop_that_swallowed_its_cancellation_still_ends() -> None:
    rounds = 0

    async def loop() -> None:
        nonlocal rounds
        while True:
            heed_cancel()
            rounds += 1
            with suppress(asyncio.CancelledError):  # as a timeout of the same moment does
                await asyncio.sleep(60)

    task = asyncio.ensure_future(loop())
    await asyncio.sleep(0)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 1)
    assert rounds == 1
