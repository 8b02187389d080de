"""What an operator does to a running release: upgrade it while it is halted, rotate a credential, restore a backup."""

import shutil
from pathlib import Path

from stand import BTC, ETH, Stand, until
from system import GATE

from gpt_trader.console.stack.secrets import make_secrets
from gpt_trader.contracts.account import TradingStatus
from gpt_trader.contracts.subjects import Zone

RECORDED = ("risk-gate/journal", "executor/journal", "nats/store")
"""What is backed up together, below the run's folder; the store is a fast copy and begins empty."""
SERVERS, SERVICES = ("nats", "redis"), ("market-data", GATE, "executor")


def test_gate_and_executor_restart_while_halted_and_are_ready_to_stay_so(stand: Stand) -> None:
    """`helm upgrade --wait` waits for readiness: an executor that only a reset makes ready would block it for ever."""
    stand.command("kill")
    stand.until_status("halted")

    for name in (GATE, "executor"):
        stand.stop(name)
        stand.start(name)

    until(lambda: stand.seen.heartbeats and stand.state().status is TradingStatus.HALTED, "still halted")
    assert stand.system.is_ready("executor")
    stand.reset()
    stand.trading()


def test_a_gate_with_a_rotated_bus_key_claims_its_epoch_at_the_first_try(stand: Stand) -> None:
    said = len(stand.log(GATE).splitlines())
    stand.system.seed(Zone.GATE).unlink()
    secrets = make_secrets(stand.system.folder, stand.clock.wall())
    secrets.write_nats(stand.system.folder.of("nats"), stand.system.ports)

    for name in ("nats", GATE):
        stand.system.children[name].stop()
    stand.start("nats")
    stand.start(GATE)

    assert_claimed_once(stand.log(GATE).splitlines()[said:])
    stand.revive()
    stand.trading()
    stand.hold(BTC)
    stand.leave(BTC)


def assert_claimed_once(lines: list[str]) -> None:
    assert len([line for line in lines if '"epoch_claimed"' in line]) == 1
    assert not [line for line in lines if "FencedOff" in line]


def backed_up(stand: Stand, folder: Path) -> None:
    """Take a backup as the procedure says: everybody stopped, all parts at once, everybody started again."""
    stopped(stand)
    for part in RECORDED:
        shutil.copytree(stand.system.folder.root / part, folder / part)
    started(stand)


def restored(stand: Stand, backup: Path) -> None:
    """Put a backup in the place of what there is, and start as the procedure says: halted, with an empty store."""
    stopped(stand)
    for part in (*RECORDED, "redis/appendonlydir"):
        shutil.rmtree(stand.system.folder.root / part)
    for part in RECORDED:
        shutil.copytree(backup / part, stand.system.folder.root / part)
    argv = stand.system.children[GATE].argv
    stand.system.children[GATE].argv = [*argv, "--start-halted", "true"]
    started(stand)
    stand.system.children[GATE].argv = argv


def stopped(stand: Stand) -> None:
    for name in (*SERVICES, *SERVERS):
        stand.stop(name)


def started(stand: Stand) -> None:
    for name in SERVERS:
        stand.start(name)
    stand.seen.states.clear()
    stand.seen.accounts.clear()
    for name in SERVICES:  # none is ready without the others, and the gate not before its books are the venue's
        stand.system.children[name].start()
    stand.system.wait_until_ready("market-data")
    until(lambda: stand.seen.states and stand.seen.accounts, "the gate's first words")


def test_a_backup_that_is_the_whole_past_goes_on_after_the_reset(stand: Stand, tmp_path: Path) -> None:
    held = stand.hold(BTC)
    backed_up(stand, tmp_path)

    restored(stand, tmp_path)

    assert stand.until_status("halted").status is TradingStatus.HALTED
    assert stand.position(BTC) == held
    stand.reset("restored")
    stand.trading()
    stand.leave(BTC)


def test_a_backup_older_than_the_venue_stays_halted_until_its_books_agree(stand: Stand, tmp_path: Path) -> None:
    """What was ordered after the backup is at the venue and in no book; its ids must not come again."""
    backed_up(stand, tmp_path)
    stand.trading()
    held = stand.hold(ETH)
    known = {order["client_order_id"] for order in stand.books()["orders"]}

    restored(stand, tmp_path)

    assert stand.until_cause("unapproved_order").orders
    assert not stand.system.is_ready(GATE)
    assert not stand.position(ETH)
    stand.reset("bought after the backup")
    stand.trading()
    assert stand.position(ETH) == held
    stand.hold(BTC)
    assert len({order["client_order_id"] for order in stand.books()["orders"]} - known) == 1
    stand.leave(BTC)
    stand.leave(ETH)
