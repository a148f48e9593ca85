"""A document type as values: its states, the moves between them, the steps of its case and what may be amended."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Any, Literal

import msgspec

from .casework import Escalation, Tacit
from .conditions import Condition
from .filing import Admission, Check, Requirement, Stage
from .titles import Settlement, Tolerance, Validity
from .value import Labels, Value
from .visits import VisitTerms

# `next` step, `close` the case at once, `finish` it once all have answered, or a named step.
WAY = r"^(next|close|finish|step:[a-z][a-z_]{0,39})$"
STEP = "step:"
ENTRIES_MAX_DEFAULT = 5


class State(Value, frozen=True, kw_only=True):
    key: str
    labels: Labels
    kind: Literal["open", "final"] = "open"


class Transition(Value, frozen=True, kw_only=True):
    from_: str = msgspec.field(name="from")
    event: str
    actor: str
    to: str
    # What the move does to the titles that a declaration's lines name.
    effect: Literal["reserve", "impute", "give_back", "release"] | None = None


class Decided(Value, frozen=True, kw_only=True):
    """Whoever decided a step so, the last time it was entered."""

    step: str
    outcomes: tuple[str, ...]


class AgencyChoice(Value, frozen=True, kw_only=True):
    """Exactly one: a fixed agency, the agency a fact names, one for each matched rule of a stage, or who `decided`.

    Of several `decided` the first that names anybody counts; `laboratory` means theirs instead of themselves.
    """

    code: str | None = None
    fact: str | None = None
    rules: Literal["control", "clearance", "registration"] | None = None
    decided: tuple[Decided, ...] = ()
    laboratory: bool = False


class Outcome(Value, frozen=True, kw_only=True):
    """Of tasks side by side the outcome with the highest `weight` speaks for the step.

    What is `by` the system no officer chooses. `result` is what the case found out about the goods.
    """

    event: str = ""
    then: Annotated[str, msgspec.Meta(pattern=WAY)]
    weight: int = 0
    by: Literal["officer", "system"] = "officer"
    result: Literal["conform", "conform_with_conditions", "conditional", "non_conform"] | None = None
    waives_visit: bool = False
    may_reduce: bool = False
    needs_reason: bool = False
    # Counts against the owner in the risk of the documents that follow.
    non_conforming: bool | None = None
    labels: Labels = {}

    @property
    def leads_to(self) -> str:
        """The key of the step it names, empty for none."""
        return self.then.removeprefix(STEP) if self.then.startswith(STEP) else ""

    @property
    def goes_on(self) -> bool:
        return self.then == "next" or bool(self.leads_to)


class Information(Value, frozen=True, kw_only=True):
    """How an agency asks the operator, once: the moves into waiting and out of it, back to the state it came from."""

    asks: str
    answered: str
    lapses: str
    answer_seconds: int | None = None


class Step(Value, frozen=True, kw_only=True):
    key: str
    labels: Labels = {}
    enters: str = ""
    agency: AgencyChoice
    role: str
    mode: Literal["documentary", "four_eyes"] = "documentary"
    four_eyes_by_rule: bool = False
    sla_seconds: int
    calendar: Literal["working", "always"] = "working"
    asked: Labels
    form: dict[str, Any] | None = None
    information: Information | None = None
    tacit: Tacit | None = None
    visit: VisitTerms | None = None
    entries_max: int = ENTRIES_MAX_DEFAULT
    # Instead of the pack's own ladder.
    ladder: tuple[Escalation, ...] | None = None
    outcomes: dict[str, Outcome]


class AmendmentStep(Step, frozen=True, kw_only=True):
    """Asked again when one of `fields` changes, or when anything does; otherwise its earlier approval survives."""

    fields: tuple[str, ...] = ()


class Amendment(Value, frozen=True, kw_only=True):
    """In which states a document may be changed, at which places, and whom that must convince."""

    states: tuple[str, ...]
    fields: tuple[str, ...]
    steps: tuple[AmendmentStep, ...] = ()


class BankChange(Amendment, frozen=True, kw_only=True):
    """An amendment of the bank alone: `bank`, `branch` and `account` are its places in the body.

    `resumes`: from a state in which no bank has the document, the step of its case that begins again with the new one.
    """

    bank: str
    branch: str = ""
    account: str = ""
    checks: tuple[Check, ...] = ()
    resumes: dict[str, str] = {}


class Question(Value, frozen=True, kw_only=True):
    """Where in a body the answers to a public question go: pointers, `*` for each line; the rest is the example's."""

    hs_code: tuple[str, ...]
    country: tuple[str, ...]
    regime: tuple[str, ...] = ()
    value: tuple[str, ...] = ()
    characteristics: tuple[str, ...] = ()


class DocumentType(Value, frozen=True, kw_only=True):
    key: str
    prefix: str
    direction: Literal["import", "export", "any"]
    title: bool = False
    # Mirrors a declaration of the customs system, which alone files and moves it.
    declaration: bool = False
    labels: Labels
    initial_state: str
    states: tuple[State, ...]
    transitions: tuple[Transition, ...] = ()
    impute_in: tuple[str, ...] = ()
    validity: Validity | None = None
    imputation_tolerance: tuple[Tolerance, ...] = ()
    settlement: Settlement | None = None
    facts: dict[str, str] = {}
    checks: tuple[Check, ...] = ()
    steps: tuple[Step, ...] = ()
    # The move of a document that concerns no agency at all.
    unconcerned: str = ""
    amendment: Amendment | None = None
    filed_by: str = "declarant"
    stages: tuple[Stage, ...] = ()
    readiness: tuple[Requirement, ...] = ()
    admission: Admission | None = None
    bank_change: BankChange | None = None
    # Groups of steps: who acts in one of a group acts in no other of it.
    incompatible: tuple[tuple[str, ...], ...] | None = None
    # What an approval of this type may depend on.
    conditions: tuple[Condition, ...] | None = None
    # Absent where nobody can ask in public what the goods need of this type.
    question: Question | None = None
    schema: dict[str, Any] = {}

    @cached_property
    def _moves(self) -> dict[tuple[str, str], list[Transition]]:
        moves: dict[tuple[str, str], list[Transition]] = {}
        for move in self.transitions:
            moves.setdefault((move.from_, move.event), []).append(move)
        return moves

    @cached_property
    def _from(self) -> dict[str, list[Transition]]:
        moves: dict[str, list[Transition]] = {}
        for move in self.transitions:
            moves.setdefault(move.from_, []).append(move)
        return moves

    @cached_property
    def _states(self) -> dict[str, State]:
        return {state.key: state for state in self.states}

    @cached_property
    def _steps(self) -> dict[str, Step]:
        return {step.key: step for step in (*self.steps, *self.amending_steps)}

    @cached_property
    def amending_steps(self) -> tuple[AmendmentStep, ...]:
        """Of every way in which a version may come after the first."""
        ways = (self.amendment, self.bank_change)
        return tuple(step for way in ways if way is not None for step in way.steps)

    def transition(self, state: str, event: str, to: str | None = None) -> Transition | None:
        """The move an event makes from a state; `to` chooses where a release or a return may lead to several."""
        moves = self._moves.get((state, event), [])
        return next((move for move in moves if to is None or move.to == to), None)

    def events_from(self, state: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(move.event for move in self.transitions if move.from_ == state))

    def may_come(self, state: str, event: str) -> bool:
        """Whether an event that is not possible now may still be, after others."""
        reached, waiting = {state}, [state]
        while waiting:
            here = waiting.pop()
            for move in self._from.get(here, ()):
                if move.event == event:
                    return True
                if move.to not in reached:
                    reached.add(move.to)
                    waiting.append(move.to)
        return False

    def excluded_by(self, step: str) -> tuple[str, ...]:
        """The steps in which nobody may act who acts in this one."""
        groups = [group for group in self.incompatible or () if step in group]
        return tuple(sorted({other for group in groups for other in group if other != step}))

    def condition(self, key: str) -> Condition | None:
        return next((one for one in self.conditions or () if one.key == key), None)

    def conditions_of(self, step: str) -> tuple[Condition, ...]:
        return tuple(one for one in self.conditions or () if step in one.steps)

    def state(self, key: str) -> State | None:
        return self._states.get(key)

    def step(self, key: str) -> Step | None:
        return self._steps.get(key)

    @cached_property
    def has_visits(self) -> bool:
        return any(step.visit is not None for step in self.steps)

    def stage(self, key: str) -> Stage | None:
        return next((stage for stage in self.stages if stage.key == key), None)

    @property
    def is_filed_in_stages(self) -> bool:
        """Its case begins at a stage, not when it is submitted."""
        return any(stage.opens_case for stage in self.stages)

    @property
    def case_begins_in(self) -> frozenset[str]:
        """The states a document may be in when its case is opened."""
        opening = [stage for stage in self.stages if stage.opens_case]
        if not opening:
            return frozenset({self.initial_state})
        moves = [self.transition(stage.in_, one.event) for stage in opening for one in stage.events]
        return frozenset(move.to for move in moves if move is not None)

    def step_after(self, key: str) -> Step | None:
        keys = [step.key for step in self.steps]
        following = keys.index(key) + 1
        return self.steps[following] if following < len(keys) else None
