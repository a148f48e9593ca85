"""Waiting for the operator: the document can go there from wherever the step is, and comes back to where it was."""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import Finding
from ..model import DocumentType, Information, Step
from .subject import Subject
from .ways import walk


def waiting_can_begin_and_end(subject: Subject) -> Iterator[Finding]:
    for kind, file in _types(subject):
        for index, before, opened in walk(kind):
            information = kind.steps[index].information
            for state in sorted(opened or before) if information else ():
                for fault in _faults(kind, kind.steps[index], state):
                    yield subject.at(file, ("steps", index, "information"), fault)


def nobody_returns_to_where_nobody_asked(subject: Subject) -> Iterator[Finding]:
    for kind, file in _types(subject):
        for index, step in enumerate(kind.steps):
            for event in _returns(step.information):
                for move in kind.transitions:
                    if move.event == event and not _asks(kind, step.information, move.to, move.from_):
                        message = f"{event} leads to {move.to}, where nobody asks"
                        yield subject.at(file, ("steps", index, "information"), message)


def answers_have_a_term(subject: Subject) -> Iterator[Finding]:
    for kind, file in _types(subject):
        for index, step in enumerate(kind.steps):
            seconds = step.information.answer_seconds if step.information else None
            if seconds is not None and seconds <= 0:
                place = ("steps", index, "information", "answer_seconds")
                yield subject.at(file, place, "a term is a positive number of seconds")


def _faults(kind: DocumentType, step: Step, state: str) -> Iterator[str]:
    information = step.information
    asking = kind.transition(state, information.asks) if information else None
    if information is None or asking is None:
        yield f"no transition {information.asks if information else ''} from {state}"
        return
    for event in _returns(information):
        if kind.transition(asking.to, event, state) is None:
            yield f"no transition {event} from {asking.to} back to {state}"
    for event in _ends_by_others(step):
        if kind.transition(asking.to, event) is None:
            yield f"no transition {event} from {asking.to}: another agency may end the step while one waits"


def _ends_by_others(step: Step) -> list[str]:
    """Of tasks side by side one may close the case while another waits."""
    if step.agency.rules is None and not step.agency.decided:
        return []
    return [outcome.event for outcome in step.outcomes.values() if outcome.then == "close" and outcome.event]


def _returns(information: Information | None) -> tuple[str, ...]:
    return (information.answered, information.lapses) if information else ()


def _asks(kind: DocumentType, information: Information | None, start: str, end: str) -> bool:
    return information is not None and kind.transition(start, information.asks, end) is not None


def _types(subject: Subject) -> Iterator[tuple[DocumentType, str]]:
    for kind in subject.pack.document_types.values():
        yield kind, subject.type_files[kind.key]


RULES = (waiting_can_begin_and_end, nobody_returns_to_where_nobody_asked, answers_have_a_term)
