"""What an agency asks the operator, and what it is told."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from portolan.routing.v1 import routing_pb2

from gateway.shapes.common import Moment, certain_moment, moment

# As routing and intake judge them; here they only say so in the contract.
QUESTIONS_MAX = 10
QUESTION_CHARACTERS_MAX = 1_000
REASON_CHARACTERS_MAX = 1_000
ANSWER_CHARACTERS_MAX = 4_000

Question = Annotated[str, msgspec.Meta(min_length=1, max_length=QUESTION_CHARACTERS_MAX)]


class Inquiry(msgspec.Struct, forbid_unknown_fields=True):
    """Everything the agency wants to know: it asks once."""

    questions: Annotated[list[Question], msgspec.Meta(min_length=1, max_length=QUESTIONS_MAX)]
    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=REASON_CHARACTERS_MAX)]


class Answer(msgspec.Struct, forbid_unknown_fields=True):
    """`question` is its number, from 1, as the timeline shows it."""

    question: Annotated[int, msgspec.Meta(ge=1, le=QUESTIONS_MAX)]
    answer: Annotated[str, msgspec.Meta(min_length=1, max_length=ANSWER_CHARACTERS_MAX)]


class Reply(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """One answer to each question. `request_id` may be left out while only one agency waits."""

    request_id: Annotated[str, msgspec.Meta(max_length=100)] = ""
    answers: Annotated[list[Answer], msgspec.Meta(min_length=1, max_length=QUESTIONS_MAX)]


class AskedQuestion(msgspec.Struct):
    question: int
    text: str
    answer: str | None


class Information(msgspec.Struct, kw_only=True):
    """A request for information on a task, with the answers once they came."""

    id: str
    state: Literal["OPEN", "PROVIDED", "LAPSED", "CANCELLED"]
    requested_by: str
    reason: str
    questions: list[AskedQuestion]
    requested_at: Moment
    due_at: Moment | None
    closed_at: Moment | None


def information(given: routing_pb2.Information) -> Information:
    answers: list[str | None] = [*given.answers] or [None] * len(given.questions)
    asked = enumerate(zip(given.questions, answers, strict=True), 1)
    return Information(
        id=given.id,
        state=given.state,  # type: ignore[arg-type]
        requested_by=given.requested_by,
        reason=given.reason,
        questions=[AskedQuestion(number, text, answer) for number, (text, answer) in asked],
        requested_at=certain_moment(given.requested_at),
        due_at=moment(given.due_at),
        closed_at=moment(given.closed_at),
    )
