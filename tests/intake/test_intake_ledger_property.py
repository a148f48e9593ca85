"""Whatever customs does in whatever order: what is taken never passes what is authorised, and entries tell all."""

from collections import defaultdict
from collections.abc import Callable
from decimal import Decimal

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule
from intake.domain.titles import NOTHING, Entry, EntryKind, TitleLine
from kit.errors import Refused

QUANTITIES = st.decimals(min_value="0.000001", max_value="2000", places=6, allow_nan=False)

EFFECTS: dict[EntryKind, dict[str, int]] = {
    EntryKind.AUTHORISED: {"authorised": 1},
    EntryKind.REDUCED: {"authorised": -1},
    EntryKind.RESERVED: {"reserved": 1},
    EntryKind.RESERVATION_USED: {"reserved": -1},
    EntryKind.RESERVATION_RELEASED: {"reserved": -1, "released": 1},
    EntryKind.CONSUMED: {"consumed": 1},
    EntryKind.RELEASED: {"consumed": -1, "released": 1},
}

Change = Callable[[], tuple[TitleLine, list[Entry]]]


class Ledger(RuleBasedStateMachine):
    reservations: Bundle[Decimal] = Bundle("reservations")
    consumptions: Bundle[Decimal] = Bundle("consumptions")

    @initialize(authorised=QUANTITIES, tolerance=st.sampled_from([NOTHING, Decimal("0.01")]))
    def authorise(self, authorised: Decimal, tolerance: Decimal) -> None:
        self.line = TitleLine(1, "100119", "KGM", authorised, tolerance)
        self.entries = [Entry(1, EntryKind.AUTHORISED, authorised)]

    @rule(target=reservations, quantity=QUANTITIES)
    def reserve(self, quantity: Decimal) -> Decimal:
        return quantity if self._change(lambda: self.line.reserve(quantity)) else NOTHING

    @rule(target=consumptions, quantity=QUANTITIES)
    def consume(self, quantity: Decimal) -> Decimal:
        return quantity if self._change(lambda: self.line.consume(quantity)) else NOTHING

    @rule(target=consumptions, held=consumes(reservations), quantity=QUANTITIES)
    def use_reservation(self, held: Decimal, quantity: Decimal) -> Decimal:
        return quantity if held and self._change(lambda: self.line.consume(quantity, held)) else NOTHING

    @rule(quantity=consumes(consumptions))
    def cancel(self, quantity: Decimal) -> None:
        if quantity:
            assert self._change(lambda: self.line.release(quantity))

    @rule(quantity=consumes(reservations))
    def cancel_reservation(self, quantity: Decimal) -> None:
        if quantity:
            assert self._change(lambda: self.line.release_reservation(quantity))

    @rule(to=QUANTITIES)
    def reduce(self, to: Decimal) -> None:
        self._change(lambda: self.line.reduce(to))

    def _change(self, change: Change) -> bool:
        before = self.line
        try:
            self.line, entries = change()
        except Refused:
            assert self.line is before
            return False
        self.entries += entries
        return True

    @invariant()
    def never_over_what_is_authorised(self) -> None:
        line = self.line
        assert line.consumed + line.reserved <= line.authorised * (1 + line.tolerance)
        assert min(line.consumed, line.reserved, line.released, line.remaining) >= 0

    @invariant()
    def entries_add_up_to_the_line(self) -> None:
        sums: dict[str, Decimal] = defaultdict(Decimal)
        for entry in self.entries:
            assert entry.quantity > 0
            for name, sign in EFFECTS[entry.kind].items():
                sums[name] += sign * entry.quantity
        line = self.line
        told = (sums["authorised"], sums["reserved"], sums["consumed"], sums["released"])
        assert told == (line.authorised, line.reserved, line.consumed, line.released)


TestLedger = Ledger.TestCase
TestLedger.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
