"""A document's states: each can be reached, each can be left unless it is final."""

from __future__ import annotations

from collections.abc import Iterator

from ..amendments import VERDICTS
from ..errors import Finding
from ..model import DocumentType
from .subject import Subject

# Where an imputation or its cancellation leads depends on what is left, so one event may have two ends.
IMPUTATION_EVENTS = ("impute_partially", "impute_fully")
RELEASE_EVENT = "release_imputation"
# An amendment ends where it began.
ENDS_THAT_VARY = frozenset({RELEASE_EVENT, *VERDICTS})


def types_are_in_their_folder(subject: Subject) -> Iterator[Finding]:
    for kind, file in _types(subject):
        if file.split("/")[1] != kind.key:
            yield subject.at(file, ("key",), f"{kind.key} stands in the folder {file.split('/')[1]}")


def prefixes_are_unique(subject: Subject) -> Iterator[Finding]:
    holders: dict[str, str] = {}
    for kind, file in _types(subject):
        other = holders.setdefault(kind.prefix, kind.key)
        if other != kind.key:
            yield subject.at(file, ("prefix",), f"{other} already uses the prefix {kind.prefix}")


def states_are_named_once(subject: Subject) -> Iterator[Finding]:
    for kind, file in _types(subject):
        keys = [state.key for state in kind.states]
        for index, key in enumerate(keys):
            if key in keys[:index]:
                yield subject.at(file, ("states", index), f"state {key} is given twice")


def transitions_join_known_states(subject: Subject) -> Iterator[Finding]:
    for kind, file in _types(subject):
        for origin, place in _places(subject, file):
            for end in (*origin["from"], origin["to"]):
                if kind.state(end) is None:
                    yield subject.at(file, ("transitions", place), f"unknown state {end}")


def named_states_exist(subject: Subject) -> Iterator[Finding]:
    for kind, file in _types(subject):
        if kind.state(kind.initial_state) is None:
            yield subject.at(file, ("initial_state",), f"unknown state {kind.initial_state}")
        for index, key in enumerate(kind.impute_in):
            if kind.state(key) is None:
                yield subject.at(file, ("impute_in", index), f"unknown state {key}")
        if kind.validity and kind.state(kind.validity.starts_at) is None:
            yield subject.at(file, ("validity", "starts_at"), f"unknown state {kind.validity.starts_at}")


def states_can_be_reached(subject: Subject) -> Iterator[Finding]:
    for kind, file in _types(subject):
        reached = _reached(kind)
        for index, state in enumerate(kind.states):
            if state.key not in reached:
                yield subject.at(file, ("states", index), f"nothing leads to {state.key}")


def open_states_can_be_left(subject: Subject) -> Iterator[Finding]:
    for kind, file in _types(subject):
        left = {move.from_ for move in kind.transitions}
        for index, state in enumerate(kind.states):
            if state.kind == "open" and state.key not in left:
                yield subject.at(file, ("states", index), f"nothing leads out of {state.key}, and it is not final")


def an_event_has_one_end(subject: Subject) -> Iterator[Finding]:
    for kind, file in _types(subject):
        ends: dict[tuple[str, str], str] = {}
        branching = {*ENDS_THAT_VARY, *_ways_back(kind)}
        for move in kind.transitions:
            end = ends.setdefault((move.from_, move.event), move.to)
            if end != move.to and move.event not in branching:
                yield subject.at(file, ("transitions",), f"{move.event} leads from {move.from_} to two states")


def titles_can_be_imputed(subject: Subject) -> Iterator[Finding]:
    for kind, file in _types(subject):
        if kind.title and not kind.impute_in:
            yield subject.at(file, ("title",), "a title needs impute_in")
        for index, key in enumerate(kind.impute_in):
            for event in IMPUTATION_EVENTS:
                if kind.transition(key, event) is None:
                    yield subject.at(file, ("impute_in", index), f"no transition {event} from {key}")


def _ways_back(kind: DocumentType) -> Iterator[str]:
    """A document that waited for information goes back to where it came from."""
    for step in kind.steps:
        if step.information is not None:
            yield from (step.information.answered, step.information.lapses)


def _types(subject: Subject) -> Iterator[tuple[DocumentType, str]]:
    for kind in subject.pack.document_types.values():
        yield kind, subject.type_files[kind.key]


def _places(subject: Subject, file: str) -> Iterator[tuple[dict[str, list[str] | str], int]]:
    """Transitions as written, where `from` may be one state or several."""
    for place, move in enumerate(subject.sources[file].value.get("transitions") or []):
        origins = [move["from"]] if isinstance(move["from"], str) else list(move["from"])
        yield {"from": origins, "to": move["to"]}, place


def _reached(kind: DocumentType) -> set[str]:
    reached, waiting = {kind.initial_state}, [kind.initial_state]
    while waiting:
        here = waiting.pop()
        for move in kind.transitions:
            if move.from_ == here and move.to not in reached:
                reached.add(move.to)
                waiting.append(move.to)
    return reached


RULES = (
    types_are_in_their_folder,
    prefixes_are_unique,
    states_are_named_once,
    transitions_join_known_states,
    named_states_exist,
    states_can_be_reached,
    open_states_can_be_left,
    an_event_has_one_end,
    titles_can_be_imputed,
)
