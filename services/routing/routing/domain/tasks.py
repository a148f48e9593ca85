"""What one agency is asked about one document, and who signed which answer."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, NoReturn

from kit.errors import Conflict, Invalid, Refused, Violation
from packs.model import Outcome, Reason, Step

from .information import Information
from .timers import Calendars, Timer

SYSTEM = "system"
# The reason of what nobody said.
SILENCE = "silence"


@dataclass(frozen=True)
class Quantity:
    value: Decimal
    unit: str


@dataclass(frozen=True)
class Imposed:
    """A condition as an officer sets it, by its name in the pack."""

    code: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    remarks: str = ""


@dataclass(frozen=True)
class Decision:
    """What an officer says about a task."""

    person: str
    outcome: str
    reason_code: str = ""
    comment: str = ""
    conditions: str = ""
    quantity: Quantity | None = None
    request_id: str = ""
    # The absent colleague in whose place the person says it.
    on_behalf_of: str = ""
    imposes: tuple[Imposed, ...] = ()
    # Conditions set earlier in the case, by id, that the officer found met.
    satisfies: tuple[str, ...] = ()

    @property
    def signers(self) -> frozenset[str]:
        """Those whose eyes it was seen by: of two signatures, no name may stand in both."""
        return frozenset({self.person, self.on_behalf_of} - {""})

    @property
    def words(self) -> Decision:
        """What is said, whosever place it is said in."""
        return replace(self, on_behalf_of="")


@dataclass(frozen=True)
class Signature:
    """A decision by one person. Void when a second officer disagreed; kept all the same."""

    id: str
    decision: Decision
    signed_at: datetime
    voided_at: datetime | None = None

    @property
    def person(self) -> str:
        return self.decision.person

    @property
    def is_live(self) -> bool:
        return self.voided_at is None


class TaskState(StrEnum):
    OPEN = "OPEN"
    CLAIMED = "CLAIMED"
    # For the operator's answers; nobody decides meanwhile.
    WAITING = "WAITING"
    DECIDED = "DECIDED"
    CANCELLED = "CANCELLED"


LIVE = frozenset({TaskState.OPEN, TaskState.CLAIMED})
UNDECIDED = LIVE | {TaskState.WAITING}


@dataclass(frozen=True)
class Task:
    id: str
    step: str
    agency: str
    role: str
    mode: str
    rule: str
    signatures_required: int
    opened_at: datetime
    timer: Timer
    state: TaskState = TaskState.OPEN
    claimed_by: str = ""
    signatures: tuple[Signature, ...] = ()
    outcome: str = ""
    reason_code: str = ""
    quantity: Quantity | None = None
    decided_by: str = ""
    decided_at: datetime | None = None
    information: Information | None = None
    tacit: Timer | None = None
    tacit_outcome: str = ""
    claimed_at: datetime | None = None
    # Steps in which nobody may act who acts here.
    exclusive: tuple[str, ...] = ()

    @property
    def is_live(self) -> bool:
        return self.state in LIVE

    @property
    def is_undecided(self) -> bool:
        return self.state in UNDECIDED

    @property
    def due_at(self) -> datetime | None:
        return self.timer.fire_at

    @property
    def tacit_at(self) -> datetime | None:
        return None if self.tacit is None else self.tacit.fire_at

    def is_silent(self, now: datetime) -> bool:
        """The law takes it for decided."""
        return self.is_live and self.tacit is not None and self.tacit.has_passed(now)

    def must_not_be_silent(self, now: datetime) -> None:
        """What the law has decided is the sweeper's to write down, however late: nobody decides or asks instead."""
        if self.is_silent(now):
            raise Refused("INVALID_TRANSITION", "the term has passed: silence has decided")

    @property
    def live_signatures(self) -> tuple[Signature, ...]:
        return tuple(signature for signature in self.signatures if signature.is_live)

    @property
    def signers(self) -> frozenset[str]:
        return frozenset().union(*(signature.decision.signers for signature in self.live_signatures))

    def claim(self, person: str, now: datetime, absent: Collection[str] = ()) -> Task:
        """`absent` are those the person stands in for: what they had taken may be taken over."""
        if self.state is TaskState.CLAIMED and self.claimed_by == person:
            return self
        self._must_be_open_to({person, *absent})
        self._must_be_unseen_by({person})
        return replace(self, state=TaskState.CLAIMED, claimed_by=person, claimed_at=now)

    def release(self, person: str, absent: Collection[str] = ()) -> Task:
        if self.state is TaskState.OPEN:
            return self
        self._must_be_open_to({person, *absent})
        return self.unclaimed()

    def assign(self, person: str, now: datetime) -> Task:
        """By who answers for the agency, whoever had taken it."""
        self._must_be_live()
        self._must_be_unseen_by({person})
        return replace(self, state=TaskState.CLAIMED, claimed_by=person, claimed_at=now)

    def unclaimed(self) -> Task:
        return replace(self, state=TaskState.OPEN, claimed_by="", claimed_at=None)

    def has_been_told(self, decision: Decision) -> bool:
        """The very same words by the same person: a repeat, not a second decision.

        A request that comes again says nothing new either when a colleague's disagreement has voided it meanwhile.
        """
        if decision.request_id and any(own.decision.words == decision.words for own in self.signatures):
            return True
        mine = next((own.decision for own in self.live_signatures if own.person == decision.person), None)
        if mine is None:
            return False
        told, telling = (replace(one.words, request_id="") for one in (mine, decision))
        return self.state is TaskState.DECIDED and told == telling

    def sign(self, signature: Signature, asked: Quantity | None) -> tuple[Task, bool]:
        """The task with this signature, and whether enough officers now agree."""
        earlier = self.live_signatures
        if earlier and not _agrees(signature.decision, earlier[0].decision, asked):
            return self._void(signature.signed_at)._signed(signature), False
        return self._signed(signature), len(earlier) + 1 >= self.signatures_required

    def conclude(self, decision: Decision, asked: Quantity | None, now: datetime) -> Task:
        """By the first live signature: those after it agreed, and may have left out what it says."""
        first = self.live_signatures[0].decision if self.live_signatures else decision
        reduced = first.quantity if first.quantity != asked else None
        return replace(
            self,
            state=TaskState.DECIDED,
            claimed_by="",
            claimed_at=None,
            outcome=decision.outcome,
            reason_code=decision.reason_code or first.reason_code,
            quantity=reduced,
            decided_by=decision.person,
            decided_at=now,
        )._clocked(Timer.cancel)

    def fall_silent(self, now: datetime) -> Task:
        """One signature of two said nothing yet."""
        return self._void(now).conclude(Decision(SYSTEM, self.tacit_outcome, SILENCE), None, now)

    def cancel(self) -> Task:
        information = self.information.cancel() if self.information else None
        cancelled = replace(self.unclaimed(), state=TaskState.CANCELLED, information=information)
        return cancelled._clocked(Timer.cancel)

    def ask(self, information: Information, now: datetime, calendars: Calendars) -> Task:
        """A signature given before is void: it knew nothing of the answers."""
        waiting = replace(self.unclaimed(), state=TaskState.WAITING, information=information)
        return waiting._clocked(lambda timer: timer.suspend(now, calendars))._void(now)

    def resume(self, information: Information, now: datetime, calendars: Calendars) -> Task:
        resumed = replace(self, state=TaskState.OPEN, information=information)
        return resumed._clocked(lambda timer: timer.resume(now, calendars))

    def told(self, information: Information) -> Task:
        return replace(self, information=information)

    def _clocked(self, move: Callable[[Timer], Timer]) -> Task:
        """Both clocks stand, run and end together."""
        return replace(self, timer=move(self.timer), tacit=None if self.tacit is None else move(self.tacit))

    def _void(self, now: datetime) -> Task:
        signatures = tuple(replace(old, voided_at=now) if old.is_live else old for old in self.signatures)
        return replace(self, signatures=signatures)

    def _signed(self, signature: Signature) -> Task:
        """Free again for the next officer to take."""
        return replace(self.unclaimed(), signatures=(*self.signatures, signature))

    def must_accept(self, *persons: str) -> None:
        """Raises unless they, one in the other's place, may answer now, as far as the task itself is concerned."""
        self._must_be_open_to(persons)
        self._must_be_unseen_by(persons)

    def _must_be_unseen_by(self, persons: Collection[str]) -> None:
        if not self.signers.isdisjoint(persons):
            raise Refused("FOUR_EYES", "the second signature must be another person's, also through delegation")

    def _must_be_open_to(self, persons: Collection[str]) -> None:
        self._must_be_live()
        if self.claimed_by and self.claimed_by not in persons:
            raise Conflict("TASK_CLAIMED", "another officer has taken this task")

    def _must_be_live(self) -> None:
        if not self.is_live:
            raise Refused("INVALID_TRANSITION", f"the task is {self.state.lower()}", facts={"state": self.state})


def must_be_compatible(tasks: Iterable[Task], task: Task, persons: Collection[str]) -> None:
    """Raises Refused when one of them signed a step that this one's signatories may have no part in."""
    for other in tasks:
        if other.step in task.exclusive and not other.signers.isdisjoint(persons):
            facts = {"step": other.step}
            raise Refused("INCOMPATIBLE_ROLES", f"who signed {other.step} does not act in {task.step}", facts=facts)


def check(decision: Decision, step: Step, reasons: Mapping[str, Reason], task: Task, asked: Quantity | None) -> Outcome:
    """The outcome chosen, when the step allows it as it was given."""
    outcome = step.outcomes.get(decision.outcome)
    if outcome is None or outcome.by == "system":
        _refuse("/outcome", "UNKNOWN_OUTCOME", f"one of: {', '.join(choices(step))}")
    _check_reason(decision, outcome, reasons, task)
    if decision.quantity is not None:
        _check_reduction(decision.quantity, outcome, asked)
    return outcome


def choices(step: Step) -> tuple[str, ...]:
    """What an officer may say."""
    return tuple(key for key, outcome in step.outcomes.items() if outcome.by == "officer")


def check_visit(decision: Decision, outcome: Outcome, task: Task, *, is_due: bool) -> None:
    """The rules ask for a visit: whoever does without it says why."""
    said = decision.reason_code or any(old.decision.outcome == decision.outcome for old in task.live_signatures)
    if is_due and outcome.waives_visit and not said:
        _refuse("/reason_code", "REASON_REQUIRED", "a visit is due: doing without it takes a reason")


def _check_reason(decision: Decision, outcome: Outcome, reasons: Mapping[str, Reason], task: Task) -> None:
    if decision.reason_code:
        reason = reasons.get(decision.reason_code)
        if reason is None or decision.outcome not in reason.outcomes:
            _refuse("/reason_code", "UNKNOWN_REASON", "not a reason for this outcome")
    elif outcome.needs_reason and not any(old.decision.outcome == decision.outcome for old in task.live_signatures):
        _refuse("/reason_code", "REASON_REQUIRED", "this outcome must say why")


def _check_reduction(quantity: Quantity, outcome: Outcome, asked: Quantity | None) -> None:
    if not outcome.may_reduce or asked is None:
        _refuse("/authorised_quantity", "NOT_REDUCIBLE", "this outcome changes no quantity, or there are several lines")
    if quantity.unit != asked.unit:
        _refuse("/authorised_quantity/unit", "WRONG_UNIT", f"asked in {asked.unit}")
    if quantity.value <= 0:
        _refuse("/authorised_quantity/value", "NOT_POSITIVE", "must be more than nothing; refuse instead")
    if quantity.value > asked.value:
        _refuse("/authorised_quantity/value", "MORE_THAN_ASKED", f"asked: {asked.value:f} {asked.unit}")


def _refuse(pointer: str, code: str, message: str) -> NoReturn:
    raise Invalid("INVALID_DOCUMENT", message, violations=[Violation(pointer, code, message)])


def _agrees(second: Decision, first: Decision, asked: Quantity | None) -> bool:
    """Leaving quantity or conditions out means agreeing with the colleague's."""
    if second.outcome != first.outcome:
        return False
    if second.imposes and second.imposes != first.imposes:
        return False
    if second.satisfies and set(second.satisfies) != set(first.satisfies):
        return False
    return second.quantity is None or second.quantity == (first.quantity or asked)
