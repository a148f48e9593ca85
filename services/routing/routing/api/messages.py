"""Between routing's messages and its values; what is ill-formed is refused here, with the place."""

from __future__ import annotations

import hashlib
import re
from datetime import datetime
from decimal import Decimal
from typing import Any, NoReturn

import msgspec
from kit import pages, strict_json
from kit.auth import Principal
from kit.errors import Invalid, Malformed, NotFound, Violation
from kit.wire import timestamp
from packs.model import Step
from portolan.routing.v1 import routing_pb2 as pb
from portolan.type.v1 import type_pb2

from routing import actions, store
from routing.domain import (
    LIVE,
    Case,
    Decision,
    Information,
    Inquiry,
    Officer,
    Procedure,
    Quantity,
    Signature,
    Task,
    TaskState,
)
from routing.domain.information import QUESTION_CHARACTERS_MAX, QUESTIONS_MAX, REASON_CHARACTERS_MAX

from . import conditions

OVERSEER = "operator_admin"
KEY_CHARACTERS_MAX = 200
TEXT_CHARACTERS_MAX = 4_000
# As fine as a title's ledger counts: what it could not hold must not be decided.
QUANTITY = re.compile(r"[0-9]{1,14}(\.[0-9]{1,6})?")
NEVER = "infinity"


def officer(principal: Principal) -> Officer:
    return Officer(
        person=principal.person,
        agency=principal.agency,
        organisation_id=principal.organisation_id,
        roles=principal.roles,
        sees_all=principal.has(OVERSEER),
    )


def key(text: str) -> str:
    """An id as it may stand in a query; what cannot be one names nothing."""
    if not text or len(text) > KEY_CHARACTERS_MAX or "\x00" in text:
        raise NotFound("NOT_FOUND")
    return text


def facts(raw: bytes) -> dict[str, Any]:
    value = strict_json.loads(raw or b"{}")
    if not isinstance(value, dict):
        raise Malformed("MALFORMED", "the facts are not an object")
    return value


def plan(planned: actions.Plan) -> pb.PlanRoutesResponse:
    routes = [
        pb.Route(
            agency=route.agency,
            document=route.document,
            mode=route.mode,
            sla_seconds=route.sla_seconds,
            rule=route.rule,
            agency_labels=planned.agencies[route.agency].labels if route.agency in planned.agencies else {},
            rule_labels=route.labels,
        )
        for route in planned.routes
    ]
    return pb.PlanRoutesResponse(
        routes=routes,
        due_at=timestamp(planned.due_at),
        channel_hint=planned.channel,
        refusing=[pb.MatchedRule(id=rule.id, labels=rule.labels, mode=rule.mode) for rule in planned.refusing],
        is_asked_for=planned.is_asked_for,
    )


def wanted(request: pb.ListTasksRequest, officer: Officer) -> store.Wanted:
    """Without a state: what is still to do; on one document, everything that was asked about it."""
    any_state = frozenset(TaskState) if request.document_id else LIVE
    return store.Wanted(
        states=frozenset({_state(request.state)}) if request.state else any_state,
        agency=_agency(request.agency, officer),
        document_id=key(request.document_id) if request.document_id else None,
    )


def after(request: pb.ListTasksRequest) -> tuple[str, str] | None:
    position: tuple[str, str] | None = pages.decode(request.cursor, _filters(request), tuple[str, str])
    if position is None:
        return None
    due_at, task_id = position
    try:
        is_moment = due_at == NEVER or datetime.fromisoformat(due_at).tzinfo is not None
    except ValueError:
        is_moment = False
    if not is_moment:
        raise Malformed("MALFORMED", "the cursor is not one of ours")
    return due_at, task_id


def cursor(request: pb.ListTasksRequest, last: Task) -> str:
    return pages.encode(_filters(request), [last.due_at.isoformat() if last.due_at else NEVER, last.id])


def decision(request: pb.DecideTaskRequest, officer: Officer) -> Decision:
    return Decision(
        person=officer.person,
        outcome=_text("/outcome", request.outcome, KEY_CHARACTERS_MAX),
        reason_code=_text("/reason_code", request.reason_code, KEY_CHARACTERS_MAX),
        comment=_text("/comment", request.comment, TEXT_CHARACTERS_MAX),
        conditions=_text("/conditions", request.conditions, TEXT_CHARACTERS_MAX),
        quantity=_asked_quantity(request.authorised_quantity) if request.HasField("authorised_quantity") else None,
        request_id=_text("/request_id", request.request_id, KEY_CHARACTERS_MAX),
        on_behalf_of=_text("/on_behalf_of", request.on_behalf_of, KEY_CHARACTERS_MAX),
        imposes=conditions.imposed(request),
        satisfies=conditions.met(request),
    )


def person(pointer: str, text: str) -> str:
    return _words(pointer, text, KEY_CHARACTERS_MAX)


def inquiry(request: pb.RequestInformationRequest, officer: Officer) -> Inquiry:
    if not 1 <= len(request.questions) <= QUESTIONS_MAX:
        _refuse("/questions", "OUT_OF_RANGE", f"from one to {QUESTIONS_MAX} questions")
    questions = tuple(
        _words(f"/questions/{place}", question, QUESTION_CHARACTERS_MAX)
        for place, question in enumerate(request.questions)
    )
    return Inquiry(officer.person, questions, _words("/reason", request.reason, REASON_CHARACTERS_MAX))


def task(case: Case, task: Task, procedure: Procedure, officer: Officer) -> pb.Task:
    """Everything a screen needs, and of the outcomes only what this officer may choose now."""
    step, choices = procedure.step(task.step), officer.choices(case, task, procedure)
    return pb.Task(
        id=task.id,
        case_id=case.id,
        document_id=case.document.document_id,
        reference=case.document.reference,
        document_type=case.document.document_type,
        step=task.step,
        agency=task.agency,
        state=task.state,
        asked=step.asked,
        form_schema_json=_form(step),
        outcomes=choices,
        reason_codes=_reasons(procedure, choices),
        mode=task.mode,
        rule=task.rule,
        channel=case.channel,
        risk_score=case.risk_score,
        signatures_required=task.signatures_required,
        signatures=[_signature(signature) for signature in task.live_signatures],
        claimed_by=task.claimed_by,
        opened_at=timestamp(task.opened_at),
        due_at=timestamp(task.due_at),
        decided_at=timestamp(task.decided_at),
        outcome=task.outcome,
        facts_json=msgspec.json.encode(case.facts_of(task)),
        etag=_etag(task),
        may_request_information=officer.may_ask(case, task, procedure),
        information=None if task.information is None else _information(task.information),
        tacit_at=timestamp(task.tacit_at),
        visit_due=task.is_undecided and _may_waive(step) and task.rule in procedure.visits,
        tacit_outcome=task.tacit_outcome,
        imposable=conditions.imposable(procedure, task.step, choices),
        conditions=conditions.shown(case.conditions, task, procedure),
    )


def _agency(asked: str, officer: Officer) -> str | None:
    """Another's agency is answered as an empty queue."""
    if officer.sees_all:
        return key(asked) if asked else None
    return officer.agency if asked in {"", officer.agency} else ""


def _state(text: str) -> TaskState:
    if text not in TaskState.__members__:
        _refuse("/state", "UNKNOWN_STATE", f"one of: {', '.join(TaskState)}")
    return TaskState(text)


def _filters(request: pb.ListTasksRequest) -> dict[str, str]:
    return {"state": request.state, "agency": request.agency, "document_id": request.document_id}


def _asked_quantity(given: type_pb2.Quantity) -> Quantity:
    if not QUANTITY.fullmatch(given.value):
        _refuse("/authorised_quantity/value", "NOT_A_QUANTITY", "a decimal such as 1250.5, at most six after the point")
    return Quantity(Decimal(given.value), _text("/authorised_quantity/unit", given.unit, KEY_CHARACTERS_MAX))


def _text(pointer: str, text: str, characters_max: int) -> str:
    if len(text) > characters_max:
        _refuse(pointer, "TOO_LONG", f"at most {characters_max} characters")
    if "\x00" in text:
        _refuse(pointer, "NUL", "a text cannot hold NUL")
    return text


def _words(pointer: str, text: str, characters_max: int) -> str:
    if not text.strip():
        _refuse(pointer, "REQUIRED", "must say something")
    return _text(pointer, text, characters_max)


def _refuse(pointer: str, code: str, message: str) -> NoReturn:
    raise Invalid("INVALID_DOCUMENT", message, violations=[Violation(pointer, code, message)])


def _form(step: Step) -> bytes:
    return b"" if step.form is None else msgspec.json.encode(step.form)


def _reasons(procedure: Procedure, choices: tuple[str, ...]) -> list[pb.ReasonCode]:
    usable = [reason for reason in procedure.reasons.values() if not set(choices).isdisjoint(reason.outcomes)]
    return [pb.ReasonCode(code=reason.code, labels=reason.labels) for reason in usable]


def _signature(signature: Signature) -> pb.Signature:
    decision = signature.decision
    return pb.Signature(
        person=decision.person,
        outcome=decision.outcome,
        reason_code=decision.reason_code,
        comment=decision.comment,
        conditions=decision.conditions,
        authorised_quantity=actions.quantity(decision.quantity),
        signed_at=timestamp(signature.signed_at),
        on_behalf_of=decision.on_behalf_of,
        imposes=conditions.said(decision),
        satisfies=decision.satisfies,
    )


def _information(given: Information) -> pb.Information:
    return pb.Information(
        id=given.id,
        state=given.state,
        requested_by=given.inquiry.person,
        reason=given.inquiry.reason,
        questions=given.inquiry.questions,
        answers=given.answers,
        requested_at=timestamp(given.requested_at),
        due_at=timestamp(given.due_at),
        closed_at=timestamp(given.closed_at),
    )


def _may_waive(step: Step) -> bool:
    return any(outcome.waives_visit for outcome in step.outcomes.values())


def _etag(task: Task) -> str:
    seen = (task.id, task.state, task.claimed_by, task.outcome, len(task.signatures), str(task.due_at))
    return hashlib.blake2b(msgspec.json.encode(seen), digest_size=8).hexdigest()
