"""What a stand has to say when a test on it has failed, so that the report of a run elsewhere explains itself."""

from collections.abc import Iterator

from stand import Stand, failed

NEWEST = 8
LINES = 15


def aftermath(stand: Stand) -> str:
    """Tell the newest of what the gate decided, of what became of the orders, and of what each process wrote."""
    return "\n".join((*_of_the_gate(stand), *_of_the_venue(stand), *_of_the_processes(stand)))


def _of_the_gate(stand: Stand) -> Iterator[str]:
    seen = stand.seen
    for state in seen.states[-1:]:
        causes = [f"{one.code} {one.product or ''} {one.detail}" for one in state.causes]
        yield f"{state.published_at:%T.%f} {state.status}: {causes}"
    for account in seen.accounts[-1:]:
        held = [f"{one.quantity} {one.product}" for one in account.positions]
        reserved = [f"{one.client_order_id} {one.status}" for one in account.open_orders]
        yield f"{account.published_at:%T.%f} held {held}, open {reserved}, reconciled {account.is_reconciled}"
    for decision in seen.decisions[-NEWEST:]:
        objections = [f"{one.rule} {one.value} ({one.limit})" for one in failed(decision).values()]
        signal = f"{decision.signal.action} {decision.product} {decision.signal.signal_id}"
        yield f"{decision.decided_at:%T.%f} {signal}: {decision.verdict} {decision.quantity} {objections}"
    for event in seen.orders[-NEWEST:]:
        yield f"{event.occurred_at:%T.%f} {event.client_order_id} {event.product} {event.status} {event.reason}"


def _of_the_venue(stand: Stand) -> Iterator[str]:
    try:
        orders, faults = stand.books()["orders"], stand.system.ask_exchange("/faults")
    except (OSError, AssertionError) as error:
        yield f"the venue does not say: {error}"
        return
    for row in orders[-NEWEST:]:
        yield f"venue: {row['client_order_id']} {row['side']} {row['product_id']} {row['status']} {row['filled_size']}"
    yield f"venue's faults: armed {faults['armed']}, struck {faults['fired'][-NEWEST:]}"


def _of_the_processes(stand: Stand) -> Iterator[str]:
    for name, child in stand.system.children.items():
        yield f"--- {name}, {'alive' if child.is_alive else 'ended'}"
        if child.log.exists():
            yield from child.log.read_text(errors="replace").splitlines()[-LINES:]
