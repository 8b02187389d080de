"""A task that was told to end does end, also when a timeout ran out in the same moment."""

import asyncio
from contextlib import suppress
from datetime import timedelta

import pytest

from gpt_trader.runtime.lifecycle import Exit, heed_cancel, run


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


@pytest.mark.timeout(30)
def test_a_service_ends_when_a_part_of_it_fails_though_another_swallowed_the_word() -> None:
    swallowed = 0

    async def goes_on() -> None:
        nonlocal swallowed
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:  # as a timeout of the same moment does
            swallowed += 1
            await asyncio.Event().wait()

    async def fails() -> None:
        await asyncio.sleep(0)
        raise OSError("the disk is full")

    async def service() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(goes_on())
            group.create_task(fails())

    assert run(service, patience=timedelta(seconds=0.1)) is Exit.BUG
    assert swallowed == 1


def test_a_part_that_outlives_the_failure_of_its_own_group_is_not_told_to_end() -> None:
    ended = []

    async def lost() -> None:
        await asyncio.sleep(0)
        raise OSError("the connection is lost")

    async def reconnects() -> None:
        with suppress(ExceptionGroup):
            async with asyncio.TaskGroup() as group:
                group.create_task(lost())
        await asyncio.sleep(1.5)
        ended.append("by itself")

    async def service() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(reconnects())

    assert run(service, patience=timedelta()) is Exit.CLEAN
    assert ended == ["by itself"]
