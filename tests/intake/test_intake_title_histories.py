"""Both ledgers of one title on the real database, through whatever history importer, banks, customs, clocks and crashes
make: what is taken and paid stays within its bounds, entries tell all of it, and an end is an end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import contextmanager
from decimal import Decimal
from itertools import pairwise
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from intake.actions import clearing, expiring, imputing, settling
from intake.actions.acts import Act
from intake.actions.hearing import Happening
from intake.domain.documents import Item
from intake.domain.titles import EntryKind
from kit import clock, outbox
from kit.auth import Principal
from kit.errors import PortolanError

from tests.intake.builders import Window, customs, the_broker
from tests.intake.settlements import a_bank
from tests.intake.test_intake_amending import a_changed, amend
from tests.intake.test_intake_cancelling import cancel
from tests.intake.test_intake_changing_bank import change
from tests.intake.test_intake_ledger_property import EFFECTS

pytestmark = pytest.mark.service("intake")

AUTHORISED, AMOUNT = 1000, 18_000_000
ENDS = frozenset({"CLEARED", "CANCELLED"})
WAITING = {"AMENDMENT_PENDING": "amend", "BANK_TRANSFER_PENDING": "change_bank"}
LEDGER_EFFECTS = {**EFFECTS, EntryKind.INCREASED: {"authorised": 1}}

NUMBERS = st.integers(1, 5)
QUANTITIES = st.sampled_from(["0.5", "120", "333.333", "505", "1000", "1010", "1010.1"])
VALUES = st.integers(0, 20).map(lambda step: step * 1_000_000)
OWN, OTHER = "own", "other"
# Mostly the title's own bank, as the version in force names it.
BANKS = st.sampled_from([OWN, OWN, OWN, OTHER])
# How an act happens: as it should, twice at once, or to somebody who dies before the end.
WAYS = st.sampled_from(["once", "once", "twice", "killed"])

# What no end allows to change; and what tells of it, where a late word is still noted.
HELD = (
    *("title_lines", "title_entries", "imputations", "title_settlements", "settlement_entries", "payments"),
    *("amendments", "document_versions"),
)
TOLD = ("timeline_items", "acts")

T = TypeVar("T")
Row = dict[str, Any]


class Killed(Exception):
    """The process dies between the last change and the commit."""


@contextmanager
def dying() -> Any:
    async def die(*_: Any) -> None:
        raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(outbox, "append_many", die)
        yield


class Histories(RuleBasedStateMachine):
    """One title; `window` and `loop` are the test's, whose loop does all the work."""

    window: Window
    loop: asyncio.AbstractEventLoop

    def __init__(self) -> None:
        super().__init__()
        self.end: tuple[str, Row] | None = None
        self.keys = 0

    @initialize(tolerance=st.sampled_from(["0", "0.01"]))
    def submit(self, tolerance: str) -> None:
        self.title = self._run(self._submitted(tolerance))

    async def _submitted(self, tolerance: str) -> str:
        title = await self.window.title(quantity=str(AUTHORISED))
        await self._change("update title_lines set tolerance = %s where document_id = %s", tolerance, title)
        for bank in ("BANK-007", "BANK-011"):
            await self._change("insert into document_readers (agency, document_id) values (%s, %s)", bank, title)
        return title

    @rule(number=NUMBERS, quantity=QUANTITIES, value=VALUES, reserve=st.booleans(), way=WAYS)
    def impute(self, number: int, quantity: str, value: int, reserve: bool, way: str) -> None:
        worth = {"amount_minor": value, "currency": "USD"}
        extra: Row = {"reserve": True} if reserve else {}
        self._act(
            way,
            lambda: self.window.impute(
                *(self.title,),
                **{
                    "quantity": quantity,
                    "number": f"D-{number}",
                    "registered_on": "2026-01-05",
                    "value": worth,
                    **extra,
                },
            ),
        )

    @rule(number=NUMBERS, way=WAYS)
    def cancel_imputation(self, number: int, way: str) -> None:
        found = self._one(
            "select imputation_id::text as id from imputations where document_id = %s and declaration_number = %s",
            f"D-{number}",
        )
        if found:
            self._act(
                way,
                lambda: imputing.cancel(self.window.db, self.window.rulebooks, customs(), self.title, found["id"], "x"),
            )

    @rule(number=NUMBERS, amount=VALUES, kind=st.sampled_from(["ADVANCE", "SETTLEMENT"]), bank=BANKS, way=WAYS)
    def pay(self, number: int, amount: int, kind: str, bank: str, way: str) -> None:
        order = {
            "payment_number": f"P-{number}",
            "paid_on": "2026-06-01",
            "kind": kind,
            "amount": {"amount_minor": amount // 10 + 1, "currency": "USD"},
        }
        raw = json.dumps(order).encode()
        by = self._bank(bank)
        self._act(way, lambda: settling.pay(self.window.db, self.window.rulebooks, by, self.title, raw))

    @rule(number=NUMBERS, bank=BANKS, way=WAYS)
    def cancel_payment(self, number: int, bank: str, way: str) -> None:
        found = self._one(
            "select payment_id::text as id from payments where document_id = %s and payment_number = %s", f"P-{number}"
        )
        if found:
            by, payment_id = self._bank(bank), found["id"]
            self._act(
                way,
                lambda: settling.cancel(self.window.db, self.window.rulebooks, by, self.title, payment_id, "x"),
            )

    @rule(quantity=QUANTITIES, cents=VALUES, way=WAYS)
    def amend(self, quantity: str, cents: int, way: str) -> None:
        key = self._key()
        self._act(way, lambda: amend(self.window, self.title, a_changed(quantity, cents or 1), key=key))

    @rule(bank=st.sampled_from([OTHER, OTHER, OWN]), way=WAYS)
    def change_bank(self, bank: str, way: str) -> None:
        key = self._key()
        by = self._bank(bank)
        self._act(way, lambda: change(self.window, self.title, by.agency.removeprefix("BANK-"), key=key))

    @precondition(lambda self: self._state() in WAITING or self._state() in ENDS)
    @rule(verdict=st.sampled_from(["accept", "reject"]), way=WAYS)
    def decide(self, verdict: str, way: str) -> None:
        event = f"{WAITING.get(self._state(), 'amend')}_{verdict}"
        item = Item("task_decided", clock.now(), "officer", agency="BANK-007")
        self._act("once" if way == "twice" else way, lambda: self.window.hear(Happening(self.title, item, event)))

    @precondition(lambda self: self.keys > 3)
    @rule(way=WAYS)
    def let_validity_pass(self, way: str) -> None:
        self._run(
            self._change(
                "update documents set valid_until = now() - interval '3 days', expiry_due = now()"
                " where document_id = %s",
                self.title,
            )
        )
        self._act(way, lambda: expiring.sweep(self.window.db, self.window.rulebooks))

    @rule(way=WAYS)
    def sweep(self, way: str) -> None:
        self._act(way, lambda: expiring.sweep(self.window.db, self.window.rulebooks))

    @precondition(lambda self: self._state() in ("FULLY_IMPUTED", "EXPIRED", "CLEARED"))
    @rule(bank=BANKS, way=WAYS)
    def clear(self, bank: str, way: str) -> None:
        act = Act("clear", self._bank(bank), self.title, "*", self._key(), b"")
        self._act(way, lambda: clearing.clear(self.window.db, self.window.rulebooks, act, ""))

    @precondition(lambda self: self.keys > 3)
    @rule(way=WAYS)
    def cancel(self, way: str) -> None:
        key = self._key()
        self._act(way, lambda: cancel(self.window, self.title, by=the_broker(), key=key))

    @invariant()
    def taken_stays_within_what_is_authorised(self) -> None:
        for line in self._all("select * from title_lines where document_id = %s"):
            assert line["consumed"] + line["reserved"] <= line["authorised"] * (1 + line["tolerance"])
            sums = dict.fromkeys(("authorised", "reserved", "consumed", "released"), Decimal(0))
            for entry in self._all("select kind, quantity from title_entries where document_id = %s"):
                for name, sign in LEDGER_EFFECTS[EntryKind(entry["kind"])].items():
                    sums[name] += sign * entry["quantity"]
            assert sums == {name: line[name] for name in sums}
            held = self._all(
                "select state, sum(quantity) as total from imputations where document_id = %s group by state"
            )
            by_state = {row["state"]: row["total"] for row in held}
            assert (by_state.get("CONSUMED", 0), by_state.get("RESERVED", 0)) == (line["consumed"], line["reserved"])

    @invariant()
    def paid_stays_within_what_is_imputed_or_admitted(self) -> None:
        account = self._one("select * from title_settlements where document_id = %s")
        if account is None:
            return
        known = [bound for bound in (account["imputed_minor"], account["payable_minor"]) if bound is not None]
        assert account["paid_minor"] <= max(min(known), account["advance_minor"])
        imputed = self._one(
            "select coalesce(sum(value_minor), 0) as total from imputations"
            " where document_id = %s and state = 'CONSUMED'"
        )
        assert imputed is not None
        assert account["imputed_minor"] == imputed["total"]
        entries = self._all("select kind, amount_minor from settlement_entries where document_id = %s")
        signed = (entry["amount_minor"] * (-1 if entry["kind"] == "CANCELLED" else 1) for entry in entries)
        recorded = self._all("select amount_minor from payments where document_id = %s and state = 'RECORDED'")
        assert account["paid_minor"] == sum(signed) == sum(row["amount_minor"] for row in recorded)

    @invariant()
    def the_timeline_has_no_gap_and_leads_to_the_state(self) -> None:
        items = self._all("select * from timeline_items where document_id = %s order by seq")
        assert [item["seq"] for item in items] == list(range(1, len(items) + 1))
        moves = [item for item in items if item["kind"] == "state"]
        assert all(one["to_state"] == other["from_state"] for one, other in pairwise(moves))
        assert moves[-1]["to_state"] == self._state()
        waiting = self._all("select 1 from amendments where document_id = %s and state = 'PROPOSED'")
        assert bool(waiting) is (self._state() in WAITING)

    @invariant()
    def an_end_is_an_end(self) -> None:
        if self.end is not None:
            assert (self._state(), self._everything()) == self.end
        elif self._state() in ENDS:
            self.end = self._state(), self._everything()

    def _act(self, way: str, act: Callable[[], Awaitable[Any]]) -> None:
        """Refusals are answers; whoever dies leaves nothing behind."""
        if way == "killed":
            before = self._everything(*TOLD)
            with dying():
                if self._run(self._attempt(act)) == "killed":
                    assert self._everything(*TOLD) == before
            return
        self._run(asyncio.wait_for(self._together(act, 2 if way == "twice" else 1), 30))

    async def _together(self, act: Callable[[], Awaitable[Any]], times: int) -> None:
        await asyncio.gather(*(self._attempt(act) for _ in range(times)))

    async def _attempt(self, act: Callable[[], Awaitable[Any]]) -> str:
        try:
            await act()
        except PortolanError as error:
            return error.code
        except Killed:
            return "killed"
        return "done"

    def _bank(self, whose: str) -> Principal:
        found = self._one(
            "select v.body ->> 'bank' as bank from documents join document_versions v using (document_id, version)"
            " where document_id = %s"
        )
        assert found is not None
        is_other = (found["bank"] == "007") is (whose == OTHER)
        return a_bank("BANK-011" if is_other else "BANK-007")

    def _everything(self, *more: str) -> Row:
        found: Row = {"state": self._state()}
        for table in (*HELD, *more):
            rows = self._all(f"select row_to_json({table})::text as row from {table} where document_id = %s")  # noqa: S608
            found[table] = sorted(row["row"] for row in rows)
        return found

    def _state(self) -> str:
        found = self._one("select state from documents where document_id = %s")
        assert found is not None
        return str(found["state"])

    def _one(self, statement: str, *values: Any) -> Row | None:
        found = self._all(statement, *values)
        return found[0] if found else None

    def _all(self, statement: str, *values: Any) -> list[Row]:
        return self._run(self._read(statement, self.title, *values))

    async def _read(self, statement: str, *values: Any) -> list[Row]:
        async with self.window.db.connection() as connection:
            cursor = await connection.execute(statement.encode(), list(values))
            names = [column.name for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in await cursor.fetchall()]

    async def _change(self, statement: str, *values: Any) -> None:
        async with self.window.db.transaction() as tx:
            await tx.execute(statement.encode(), list(values))

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result()

    def _key(self) -> str:
        self.keys += 1
        return f"{self.title}-{self.keys}"


async def test_whatever_happens_to_a_title_its_ledgers_hold(window: Window) -> None:
    machine = type("TitleHistories", (Histories,), {"window": window, "loop": asyncio.get_running_loop()})
    played = settings(
        max_examples=12, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck), database=None
    )
    await asyncio.to_thread(run_state_machine_as_test, machine, settings=played)
