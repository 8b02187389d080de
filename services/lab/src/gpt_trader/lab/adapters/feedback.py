"""Reads the learning service's store: what denied entries would have made."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from gpt_trader.contracts.ids import DecisionId
from gpt_trader.lab.ports import Unreadable
from gpt_trader.learning.domain.counterfactuals import Counterfactual
from gpt_trader.learning.ports import StoreError

_FOLLOWED = "SELECT payload FROM counterfactuals WHERE row_id IN (SELECT unnest(?::VARCHAR[]))"


def counterfactuals(store_dir: Path, wanted: Sequence[DecisionId]) -> Mapping[DecisionId, Counterfactual]:
    """Find those of these decisions that were followed to an end; raises Unreadable."""
    from gpt_trader.learning.adapters.tables import opened  # noqa: PLC0415 - DuckDB only where it is asked for

    try:
        with opened(store_dir) as tables:
            rows = tables.execute(_FOLLOWED, [list(wanted)]).fetchall()
    except StoreError as error:
        raise Unreadable(store_dir, 0, str(error)) from error
    found = (Counterfactual.decode(payload) for (payload,) in rows)
    return {DecisionId(one.decision_id): one for one in found}
