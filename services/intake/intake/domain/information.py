"""What an agency asks the operator, and what counts as an answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kit.errors import Invalid, Refused, Violation
from packs.model import DocumentType, Transition

from intake.domain.documents import Document
from intake.domain.values import is_plain_text
from intake.domain.wording import violation

ANSWER_CHARACTERS_MAX = 4_000
OPEN, PROVIDED, LAPSED = "OPEN", "PROVIDED", "LAPSED"


@dataclass(frozen=True, slots=True)
class Request:
    """`returns_to` is the state the document left when the first of those who wait had asked."""

    id: str
    document_id: str
    task_id: str
    agency: str
    step: str
    questions: Sequence[str]
    requested_at: datetime
    due_at: datetime | None
    returns_to: str = ""
    state: str = OPEN
    answers: Sequence[str] = ()

    @property
    def is_open(self) -> bool:
        return self.state == OPEN


@dataclass(frozen=True, slots=True)
class Answer:
    question: int
    text: str


def meant(requests: Sequence[Request], request_id: str, language: str) -> Request:
    """The one the operator answers: named, or the only one that waits, or the last that did not have to."""
    if request_id:
        named = [request for request in requests if request.id == request_id]
        if not named:
            raise Invalid("INVALID_REQUEST", violations=[violation("/request_id", "UNKNOWN_REQUEST", language)])
        return named[0]
    waiting = [request for request in requests if request.is_open]
    if len(waiting) > 1:
        raise Invalid("INVALID_REQUEST", violations=[violation("/request_id", "REQUIRED", language)])
    answered = [request for request in requests if request.state == PROVIDED]
    found = (waiting or answered)[-1:]
    if not found:
        raise Refused("INVALID_TRANSITION", "nobody asks for information")
    return found[0]


def in_order(request: Request, answers: Sequence[Answer], language: str) -> list[str]:
    """One text for each question. Raises Invalid."""
    faults = [fault for place, answer in enumerate(answers) for fault in _faults(request, place, answer, language)]
    given = {answer.question: answer.text for answer in answers}
    if not faults and (len(given) != len(answers) or len(given) != len(request.questions)):
        faults.append(violation("/answers", "ONE_ANSWER_EACH", language, count=len(request.questions)))
    if faults:
        raise Invalid("INVALID_REQUEST", violations=faults)
    return [given[number] for number in range(1, len(request.questions) + 1)]


def _faults(request: Request, place: int, answer: Answer, language: str) -> list[Violation]:
    faults = []
    if not 1 <= answer.question <= len(request.questions):
        faults.append(violation(f"/answers/{place}/question", "UNKNOWN_QUESTION", language))
    if not answer.text.strip():
        faults.append(violation(f"/answers/{place}/answer", "REQUIRED", language))
    if not is_plain_text(answer.text, ANSWER_CHARACTERS_MAX):
        limit = {"limit": ANSWER_CHARACTERS_MAX}
        faults.append(violation(f"/answers/{place}/answer", "MAX_LENGTH", language, **limit))
    return faults


def way_back(document: Document, kind: DocumentType, request: Request, event: str) -> Transition:
    """Raises Refused when the document waits no more: it was withdrawn, or another agency has refused it."""
    move = kind.transition(document.state, event, request.returns_to)
    if move is None:
        facts = {"state": document.state, "event": event}
        raise Refused("INVALID_TRANSITION", "the document does not wait for information", facts=facts)
    return move


def asked_detail(request: Request, reason: str) -> Mapping[str, Any]:
    questions = [{"question": number, "text": text} for number, text in enumerate(request.questions, 1)]
    return {"request_id": request.id, "reason": reason, "questions": questions}


def answered_detail(request: Request) -> Mapping[str, Any]:
    answers = [{"question": number, "answer": text} for number, text in enumerate(request.answers, 1)]
    return {"request_id": request.id, "answers": answers}
