"""Following a case through its steps: where each may find the document, and which step may come after which."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ..model import DocumentType, Outcome, Step

States = frozenset[str]


class Arrival(NamedTuple):
    """A step's place and where the document then is; `nobody` when no step before it asked anybody."""

    place: int
    states: States
    nobody: bool


def walk(kind: DocumentType) -> Iterator[tuple[int, States, States]]:
    """Each step, where the document may be before it and once it may be decided; nowhere if no way leads to it."""
    reached = {index: frozenset[str]() for index in range(len(kind.steps))}
    waiting, met = [Arrival(0, kind.case_begins_in, True)] if kind.steps else [], set[Arrival]()
    while waiting:
        arrival = waiting.pop()
        if arrival in met or arrival.place >= len(kind.steps):
            continue
        met.add(arrival)
        step = kind.steps[arrival.place]
        if not (arrival.nobody and step.agency.decided):
            reached[arrival.place] |= arrival.states
            waiting.extend(_onwards(kind, arrival))
        if _may_be_skipped(step, arrival):
            waiting.append(Arrival(arrival.place + 1, arrival.states, arrival.nobody))
    for index, step in enumerate(kind.steps):
        yield index, reached[index], decided_in(kind, step, reached[index])


def ends_unconcerned(kind: DocumentType) -> bool:
    """Whether a case may end without any agency having been asked."""
    return bool(kind.steps) and all(step.agency.rules or step.agency.decided for step in kind.steps)


def decided_in(kind: DocumentType, step: Step, before: States) -> States:
    """Where the document is when the step may be decided: a visit, once everybody has confirmed it."""
    opened = after(kind, before, step.enters)
    if step.visit is None:
        return opened
    return after(kind, after(kind, opened, step.visit.proposed), step.visit.confirmed)


def after(kind: DocumentType, here: States, event: str) -> States:
    """Where the document may be once the event is raised; no event moves nothing."""
    if not event:
        return here
    return frozenset(move.to for move in kind.transitions if move.from_ in here and move.event == event)


def target(kind: DocumentType, index: int, outcome: Outcome) -> int | None:
    """The step an outcome goes on to; None when it ends the case or names no step."""
    if outcome.then == "next":
        return index + 1
    keys = [step.key for step in kind.steps]
    return keys.index(outcome.leads_to) if outcome.leads_to in keys else None


def reachable(kind: DocumentType, index: int) -> set[int]:
    """Every step that may come after this one."""
    found, waiting = set[int](), [index]
    while waiting:
        here = waiting.pop()
        if here >= len(kind.steps):
            continue
        ahead = {target(kind, here, outcome) for outcome in kind.steps[here].outcomes.values()}
        fresh = {place for place in ahead if place is not None and place not in found}
        found |= fresh
        waiting.extend(fresh)
    return found


def _onwards(kind: DocumentType, arrival: Arrival) -> Iterator[Arrival]:
    step = kind.steps[arrival.place]
    here = decided_in(kind, step, arrival.states) or arrival.states
    for outcome in step.outcomes.values():
        place = target(kind, arrival.place, outcome)
        if place is not None:
            yield Arrival(place, after(kind, here, outcome.event) or here, False)


def _may_be_skipped(step: Step, arrival: Arrival) -> bool:
    return bool(step.agency.rules) or (arrival.nobody and bool(step.agency.decided))
