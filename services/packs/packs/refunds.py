"""What is given back of what a document has cost, when it moves as a policy says."""

from __future__ import annotations

from decimal import Decimal

from .prices import concerns
from .value import Labels, Value


class Refund(Value, frozen=True, kw_only=True):
    """`event` is a move of the document; no `from_states` is any, no `tariffs` is every charge. `share` is of one."""

    key: str
    labels: Labels
    document_types: tuple[str, ...]
    event: str
    from_states: tuple[str, ...] = ()
    tariffs: tuple[str, ...] = ()
    share: Decimal

    def applies(self, document_type: str, event: str, from_state: str) -> bool:
        is_its_move = self.event == event and (not self.from_states or from_state in self.from_states)
        return is_its_move and any(concerns(named, document_type) for named in self.document_types)
