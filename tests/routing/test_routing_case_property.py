"""The case engine under whatever people, clocks and crashes do to it, in any order: what must never be, never is."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

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
from kit.wire import moment, timestamp
from packs.model import DocumentType, Pack, Step
from portolan.intake.v1 import events_pb2 as intake
from routing import actions
from routing.actions import absences
from routing.actions.absences import Away
from routing.domain import Decision, Officer

from tests.routing import world as w

PICK = st.integers(0, 10_000)
CRASH = st.sampled_from([False, False, False, True])
DOCUMENTS_MAX = 6
# What each query finds would be a fault.
NEVER = {
    "an undecided task without an open case": """
        select tasks.id from tasks join cases on cases.id = tasks.case_id
        where tasks.state in ('OPEN', 'CLAIMED', 'WAITING') and cases.state = 'CLOSED'
    """,
    "an open case that nobody works on": """
        select id from cases where state = 'OPEN' and not exists (
            select from tasks where case_id = cases.id and tasks.state in ('OPEN', 'CLAIMED', 'WAITING')
        )
    """,
    "two live signatures that one person looked through, be it by a delegate": """
        select one.task_id from signatures as one join signatures as other on other.task_id = one.task_id
        where one.id < other.id and one.voided_at is null and other.voided_at is null
            and array[one.person, nullif(one.on_behalf_of, '')] && array[other.person, nullif(other.on_behalf_of, '')]
    """,
    "one person in two incompatible steps": """
        select one.task_id from signatures as one join tasks as mine on mine.id = one.task_id
        join tasks as theirs on theirs.case_id = mine.case_id
            and theirs.step = any(string_to_array(mine.exclusive, ','))
        join signatures as other on other.task_id = theirs.id
        where one.voided_at is null and other.voided_at is null
            and array[one.person, nullif(one.on_behalf_of, '')] && array[other.person, nullif(other.on_behalf_of, '')]
    """,
    "a decision with fewer signatures than asked": """
        select tasks.id from tasks
        where state = 'DECIDED' and decided_by <> 'system' and signatures_required > (
            select count(distinct person) from signatures where task_id = tasks.id and voided_at is null
        )
    """,
    "a machine where two persons must sign": """
        select id from tasks where decided_by = 'system' and signatures_required > 1 and reason_code <> 'silence'
    """,
    "an agency that asked twice": """
        select document_id from information_requests group by document_id, agency having count(*) > 1
    """,
    "an open question on a task that does not wait": """
        select tasks.id from tasks join information_requests as asked on asked.task_id = tasks.id
        where (asked.state = 'OPEN') <> (tasks.state = 'WAITING')
    """,
    "a clock that does not stand as its task does": """
        select tasks.id from tasks join timers on timers.task_id = tasks.id
        where timers.state <> case
            when tasks.state in ('OPEN', 'CLAIMED') then 'ARMED' when tasks.state = 'WAITING' then 'SUSPENDED'
            else 'CANCELLED'
        end
    """,
    "a task without its clock": """
        select id from tasks where not exists (select from timers where task_id = tasks.id and kind = 'term')
    """,
    "two cases of one document": "select document_id from cases group by 1 having count(*) > 1",
}
ENDINGS: list[Callable[..., Any]] = [intake.DocumentWithdrawn, intake.DocumentCancelled]
ENDED = ("DECIDED", "CANCELLED")


class Office(RuleBasedStateMachine):
    """`met` are the kinds of events that were said in any of its runs."""

    world: w.World
    met: set[str]

    @initialize(picks=st.lists(PICK, min_size=2, max_size=3), goods=st.sampled_from(w.GOODS))
    def begin(self, picks: list[int], goods: str) -> None:
        self.world.begin()
        self.documents: dict[str, tuple[Pack, DocumentType, Any]] = {}
        self.versions: Counter[str] = Counter()
        self.ended: dict[str, tuple[Any, ...]] = {}
        self.last: list[tuple[Officer, str, Decision]] = []
        for pick in picks:
            self.submit(pick, goods, 5_000, crash=False)

    # What comes from outside.

    @precondition(lambda self: len(self.documents) < DOCUMENTS_MAX)
    @rule(pick=PICK, goods=st.sampled_from(w.GOODS), amount=st.sampled_from([100, 5_000, 900_000_000]), crash=CRASH)
    def submit(self, pick: int, goods: str, amount: int, crash: bool) -> None:
        pack, type = w.TYPES[pick % len(w.TYPES)]
        document_id = f"doc-{len(self.documents)}"
        message = w.submitted(document_id, pack, type, goods, amount)
        if self.world.do(self.world.hear(message, crash=crash)) == "":
            self.documents[document_id] = (pack, type, message)

    @precondition(lambda self: self.documents)
    @rule(pick=PICK)
    def hear_it_again(self, pick: int) -> None:
        _, (_, _, message) = self._document(pick)
        assert self.world.do(self.world.hear(message)) == ""

    @precondition(lambda self: self.documents)
    @rule(pick=PICK, kind=st.sampled_from(ENDINGS), crash=CRASH)
    def end(self, pick: int, kind: Any, crash: bool) -> None:
        document_id, (_, type, _) = self._document(pick)
        self.world.do(self.world.hear(w.ended(kind, document_id, type), crash=crash))

    @precondition(lambda self: any(type.amendment for _, type, _ in self.documents.values()))
    @rule(pick=PICK, goods=st.sampled_from(w.GOODS), is_stale=st.booleans(), crash=CRASH)
    def amend(self, pick: int, goods: str, is_stale: bool, crash: bool) -> None:
        amendable = [(key, type) for key, (_, type, _) in self.documents.items() if type.amendment]
        document_id, type = amendable[pick % len(amendable)]
        steps = [step.key for step in type.amendment.steps] if type.amendment else []
        version = self.versions[document_id] + (1 if is_stale else 2)
        message = w.amended(document_id, type, version, steps[pick % (len(steps) or 1) :], goods, 5_000)
        if self.world.do(self.world.hear(message, crash=crash)) == "":
            self.versions[document_id] = version - 1

    @precondition(lambda self: self.documents)
    @rule(pick=PICK, is_bogus=st.booleans(), crash=CRASH)
    def answer(self, pick: int, is_bogus: bool, crash: bool) -> None:
        asked = self.world.rows("select id, document_id from information_requests order by state, id")
        if not asked:
            return
        one = asked[pick % len(asked)]
        message = intake.InformationProvided(
            document_id=one["document_id"],
            information_request_id="nobody-asked" if is_bogus else one["id"],
            answers=["Because."],
            provided_at=timestamp(self.world.moment),
        )
        self.world.do(self.world.hear(message, crash=crash))

    @precondition(lambda self: self.documents)
    @rule(pick=PICK, person=st.integers(0, 2), delegate=st.integers(0, 2), days=st.sampled_from([1, 30]))
    def go_away(self, pick: int, person: int, delegate: int, days: int) -> None:
        task = self._task(pick, is_open=True)
        if task is not None and person != delegate:
            absent, other = (w.officer(task["agency"], task["role"], number) for number in (person, delegate))
            now = self.world.moment
            away = Away("", other.person, now, now + timedelta(days=days), f"away-{pick}-{now}")
            assert self.world.do(absences.create(self.world.db, absent, away)) == ""
            self.world.do(actions.claim(self.world.db, absent, task["id"]))

    # What officers do, on what is open or long over.

    @precondition(lambda self: self.documents)
    @rule(pick=PICK, person=st.integers(0, 2), outcome=PICK, is_open=st.sampled_from([True, True, False]), crash=CRASH)
    def decide(self, pick: int, person: int, outcome: int, is_open: bool, crash: bool) -> None:
        """Now and then for somebody else, who may be away or not."""
        task = self._task(pick, is_open)
        if task is None:
            return
        officer = w.officer(task["agency"], task["role"], person)
        said, reason = self._saying(task, outcome)
        absent = "" if outcome % 3 else w.officer(task["agency"], task["role"], outcome % 2).person
        decision = w.decision(officer.person, said, reason, f"request-{pick}", absent)
        self.last = [*self.last[-5:], (officer, task["id"], decision)]
        self.world.do(actions.decide(self.world.db, self.world.books, officer, task["id"], decision), crash=crash)

    @precondition(lambda self: self.last)
    @rule(pick=PICK)
    def decide_the_same_again(self, pick: int) -> None:
        """Whatever became of it: a repeat is never a second decision."""
        officer, task_id, decision = self.last[pick % len(self.last)]
        self.world.do(actions.decide(self.world.db, self.world.books, officer, task_id, decision))
        signed = self.world.rows("select task_id, person, request_id from signatures")
        repeated = (task_id, officer.person, decision.request_id)
        assert [tuple(row.values()) for row in signed].count(repeated) <= 1

    @precondition(lambda self: self.documents)
    @rule(pick=PICK, person=st.integers(0, 2), is_release=st.booleans())
    def claim_or_release(self, pick: int, person: int, is_release: bool) -> None:
        task = self._task(pick, is_open=True)
        if task is not None:
            act = actions.release if is_release else actions.claim
            officer = w.officer(task["agency"], task["role"], person)
            self.world.do(act(self.world.db, officer, task["id"]))

    @precondition(lambda self: self.documents)
    @rule(pick=PICK, person=st.integers(0, 2), may_ask=st.sampled_from([True, True, False]), crash=CRASH)
    def ask(self, pick: int, person: int, may_ask: bool, crash: bool) -> None:
        task = self._task(pick, is_open=True, may_ask=may_ask)
        if task is not None:
            officer = w.officer(task["agency"], task["role"], person)
            asking = w.inquiry(officer.person)
            work = actions.request_information(self.world.db, self.world.books, officer, task["id"], asking)
            self.world.do(work, crash=crash)

    @precondition(lambda self: self.documents)
    @rule(pick=PICK)
    def another_agency_sees_nothing(self, pick: int) -> None:
        task = self._task(pick, is_open=True)
        if task is not None:
            stranger = w.officer("ELSEWHERE", task["role"], 0)
            assert self.world.do(actions.claim(self.world.db, stranger, task["id"])) == "NOT_FOUND"

    # Time.

    @rule(wait=st.sampled_from(w.WAITS), sweepers=st.sampled_from([0, 1, 1, 2]), crash=CRASH)
    def time_passes(self, wait: timedelta, sweepers: int, crash: bool) -> None:
        self.world.moment += wait
        self.world.do(self.world.sweep(sweepers), crash=crash)

    # What must hold after each of these.

    @invariant()
    def what_must_never_be_is_not(self) -> None:
        for fault, query in NEVER.items():
            assert self.world.rows(query) == [], fault

    @invariant()
    def what_ended_stays_as_it_ended(self) -> None:
        tasks = self.world.rows("select id, state, outcome, decided_by, reason_code, decided_at from tasks")
        now = {task.pop("id"): tuple(task.values()) for task in tasks if task["state"] in ENDED}
        assert {key: now.get(key) for key in self.ended} == self.ended
        self.ended = now

    @invariant()
    def events_tell_exactly_what_the_tables_hold(self) -> None:
        cases = {row["document_id"]: row["state"] for row in self.world.rows("select document_id, state from cases")}
        tasks: dict[str, dict[str, Any]] = defaultdict(dict)
        for row in self.world.rows("select id, document_id, state, outcome from tasks"):
            tasks[row["document_id"]][row["id"]] = (_plain(row["state"]), row["outcome"])
        for document_id in cases:
            said = self.world.said(document_id)
            self.met.update(type(message).__name__ for message in said)
            told = Told(said)
            assert (told.case, told.tasks) == (cases[document_id], tasks[document_id]), document_id

    @invariant()
    def no_clock_counts_a_suspended_second(self) -> None:
        timers = self.world.rows(
            """
            select timers.*, tasks.document_id, cases.pack_version, tasks.state as task_state from timers
            join tasks on tasks.id = timers.task_id join cases on cases.id = tasks.case_id
            where timers.state <> 'CANCELLED'
            """
        )
        for timer in timers:
            calendar = w.BOOKS[timer["pack_version"]].calendars[timer["calendar"]]
            spells = list(_spells(self.world.said(timer["document_id"]), timer["task_id"]))
            ran = sum(calendar.between(start, end) for start, end in spells if end is not None)
            assert timer["consumed_seconds"] == ran
            assert timer["running_since"] == (spells[-1][0] if spells[-1][1] is None else None)
            if timer["running_since"] is not None:
                left = max(timer["budget_seconds"] - ran, 0)
                assert timer["fire_at"] == calendar.add(timer["running_since"], left)

    @invariant()
    def each_rung_is_said_once(self) -> None:
        for document_id in self.documents:
            rungs = [
                (said.task_id, said.rung)
                for said in self.world.said(document_id)
                if type(said).__name__ in {"DeadlineMissed", "DeadlineNear"}
            ]
            assert len(rungs) == len(set(rungs))

    def _document(self, pick: int) -> tuple[str, tuple[Pack, DocumentType, Any]]:
        return list(self.documents.items())[pick % len(self.documents)]

    def _task(self, pick: int, is_open: bool, *, may_ask: bool = False) -> dict[str, Any] | None:
        tasks = self.world.rows(
            """
            select tasks.*, cases.document_type, cases.pack_version
            from tasks join cases on cases.id = tasks.case_id order by tasks.id
            """
        )
        tasks = [task for task in tasks if not is_open or task["state"] in ("OPEN", "CLAIMED")]
        tasks = [task for task in tasks if not may_ask or getattr(_step(task), "information", None)]
        return tasks[pick % len(tasks)] if tasks else None

    def _saying(self, task: dict[str, Any], pick: int) -> tuple[str, str]:
        """An outcome, and a reason for it where the pack knows one."""
        step = _step(task)
        outcome = sorted(step.outcomes)[pick % len(step.outcomes)] if step else ""
        reasons = [
            code for code, reason in w.BOOKS[task["pack_version"]].pack.reasons.items() if outcome in reason.outcomes
        ]
        return outcome, reasons[0] if reasons else ""


class Told:
    """What somebody knows who only hears the events."""

    def __init__(self, said: list[Any]) -> None:
        self.case, self.tasks = "CLOSED", dict[str, tuple[str, str]]()
        for message in said:
            self._hear(type(message).__name__, message)

    def _hear(self, kind: str, message: Any) -> None:
        if kind == "CaseOpened":
            self.case = "OPEN"
        elif kind == "CaseClosed":
            self.case = "CLOSED"
            over = {key for key, (state, _) in self.tasks.items() if state != "DECIDED"}
            self.tasks |= dict.fromkeys(over, ("CANCELLED", ""))
        elif kind in {"TaskOpened", "TaskResumed"}:
            self.case = "OPEN"
            self.tasks[message.task_id] = ("OPEN", "")
        elif kind == "InformationRequested":
            self.tasks[message.task_id] = ("WAITING", "")
        elif kind == "TaskDecided":
            self.tasks[message.task_id] = ("DECIDED", message.outcome)


def _step(task: dict[str, Any]) -> Step | None:
    return w.BOOKS[task["pack_version"]].type(task["document_type"]).step(task["step"])


def _plain(state: str) -> str:
    return "OPEN" if state == "CLAIMED" else state


def _spells(said: list[Any], task_id: str) -> Iterator[tuple[datetime, datetime | None]]:
    """When the task's clock ran, by the events alone."""
    started: datetime | None = None
    for message in said:
        if getattr(message, "task_id", "") != task_id:
            continue
        kind = type(message).__name__
        if kind in {"TaskOpened", "TaskResumed"}:
            started = moment(message.opened_at if kind == "TaskOpened" else message.resumed_at)
        elif kind == "InformationRequested" and started is not None:
            yield started, moment(message.requested_at)
            started = None
    if started is not None:
        yield started, None


@pytest.fixture
def world(postgres_url: str) -> Iterator[w.World]:
    world = w.World(postgres_url)
    yield world
    world.close()


def test_whatever_happens_in_whatever_order_the_engine_keeps_its_word(world: w.World) -> None:
    Office.world, Office.met = world, set()
    run_state_machine_as_test(
        Office,
        settings=settings(
            max_examples=12,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert Office.met >= {"CaseOpened", "CaseClosed", "TaskOpened", "TaskDecided"}
