"""One function per verb: what an actor does, over public HTTP."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from portolan_cli.client import Credentials
from portolan_cli.golden import body, conditions, drafting, hurrying, newcomers, visits, waiting
from portolan_cli.golden.case import Step
from portolan_cli.golden.stage import Document, Stage

LIVE_TASKS = frozenset({"OPEN", "CLAIMED"})
TASK_CHOICE = frozenset({"document", "step", "rule"})
IMPUTATION_CHOICE = frozenset({"document"})

Act = Callable[[Stage, Step], Any]


class NothingToDecide(Exception):
    """No open task of that step came to this actor's queue in time."""


def submit(stage: Stage, step: Step) -> Any:
    actor = stage.actor(step.actor)
    if "at_once" in step.arguments:
        return hurrying.submit_and(step.arguments["at_once"], stage, step, request(stage, step))
    answer = stage.portolan.post("/v1/documents", actor.credentials, request(stage, step), key=stage.key(step))
    if step.save:
        document = Document(answer["id"], answer["reference"], answer["type"], actor.credentials)
        stage.documents[step.save] = document
    return answer


def see(stage: Stage, step: Step) -> Any:
    document = stage.document(step.arguments["document"])
    return stage.portolan.get(f"/v1/documents/{document.id}", stage.actor(step.actor).credentials)


def simulate(stage: Stage, step: Step) -> Any:
    actor = stage.actor(step.actor)
    return stage.portolan.post("/v1/documents:simulate", actor.credentials, request(stage, step))


def decide(stage: Stage, step: Step) -> Any:
    by = stage.actor(step.actor).credentials
    task = open_task(stage, step, by)
    said = {name: value for name, value in step.arguments.items() if name not in TASK_CHOICE}
    decision = conditions.meant(task, said)
    return stage.portolan.post(f"/v1/tasks/{task['id']}:decide", by, decision, key=stage.key(step))


def request_information(stage: Stage, step: Step) -> Any:
    by = stage.actor(step.actor).credentials
    task = open_task(stage, step, by)
    inquiry = {name: value for name, value in step.arguments.items() if name not in TASK_CHOICE}
    return stage.portolan.post(f"/v1/tasks/{task['id']}:request-information", by, inquiry, key=stage.key(step))


def provide_information(stage: Stage, step: Step) -> Any:
    by = stage.actor(step.actor).credentials
    document = stage.document(step.arguments["document"])
    reply = {name: value for name, value in step.arguments.items() if name != "document"}
    return stage.portolan.post(f"/v1/documents/{document.id}:provide-information", by, reply, key=stage.key(step))


def impute(stage: Stage, step: Step) -> Any:
    by = stage.actor(step.actor).credentials
    document = stage.document(step.arguments["document"])
    declared = {name: value for name, value in step.arguments.items() if name not in IMPUTATION_CHOICE}
    declared["declaration_number"] = stage.declaration_number(declared["declaration_number"])
    answer = stage.portolan.post(f"/v1/documents/{document.id}/imputations", by, declared, key=stage.key(step))
    if step.save:
        stage.imputations[step.save] = answer
    return answer


def cancel_imputation(stage: Stage, step: Step) -> Any:
    by = stage.actor(step.actor).credentials
    imputation = stage.imputations[step.arguments["imputation"]]
    path = f"/v1/documents/{imputation['document_id']}/imputations/{imputation['id']}:cancel"
    reason = {"reason": step.arguments.get("reason", "golden case")}
    return stage.portolan.post(path, by, reason, key=stage.key(step))


def tell_declaration(stage: Stage, step: Step) -> Any:
    """An event of the customs system. The one that registers brings the declaration, and is saved under a name."""
    by = stage.actor(step.actor).credentials
    asked = step.arguments
    number = stage.declarations[asked["document"]] if "document" in asked else stage.declaration_number(asked["number"])
    told: dict[str, Any] = {"event_id": stage.key(step), "event": asked["event"], "occurred_at": asked["occurred_at"]}
    if "type" in asked:
        declared = body.build(stage.portolan, {**asked, "changes": _named(stage, asked.get("changes") or {})})
        told["declaration"] = {**declared, "number": number}
    answer = stage.portolan.post(f"/v1/declarations/{number}/events", by, told, key=stage.key(step))
    if step.save:
        stage.declarations[step.save] = number
        stage.documents[step.save] = Document(answer["document_id"], answer["reference"], asked["type"], by)
    return answer


def _named(stage: Stage, changes: Mapping[str, Any]) -> dict[str, Any]:
    """`{document: name}` stands for the reference of a document that was saved."""
    return {
        pointer: stage.document(value["document"]).reference
        if isinstance(value, dict) and "document" in value
        else value
        for pointer, value in changes.items()
    }


def pay(stage: Stage, step: Step) -> Any:
    by = stage.actor(step.actor).credentials
    document = stage.document(step.arguments["document"])
    order = {name: value for name, value in step.arguments.items() if name != "document"}
    answer = stage.portolan.post(f"/v1/documents/{document.id}/payments", by, order, key=stage.key(step))
    if step.save:
        stage.payments[step.save] = answer
    return answer


def cancel_payment(stage: Stage, step: Step) -> Any:
    by = stage.actor(step.actor).credentials
    payment = stage.payments[step.arguments["payment"]]
    path = f"/v1/documents/{payment['document_id']}/payments/{payment['id']}:cancel"
    return stage.portolan.post(path, by, {"reason": step.arguments.get("reason", "golden case")}, key=stage.key(step))


def withdraw(stage: Stage, step: Step) -> Any:
    return _change(stage, step, "withdraw", {"reason": step.arguments.get("reason", "golden case")})


def amend(stage: Stage, step: Step) -> Any:
    """`changes` are made to the body as it stands."""
    by = stage.actor(step.actor).credentials
    document = stage.document(step.arguments["document"])
    asked = {"body": stage.portolan.get(f"/v1/documents/{document.id}", by)["body"]}
    for pointer, value in step.arguments["changes"].items():
        body.change(asked["body"], pointer, value)
    remarks = {"remarks": step.arguments["remarks"]} if "remarks" in step.arguments else {}
    return _change(stage, step, "amend", asked | remarks)


def change_bank(stage: Stage, step: Step) -> Any:
    asked = {name: value for name, value in step.arguments.items() if name != "document"}
    return _change(stage, step, "change-bank", asked)


def cancel(stage: Stage, step: Step) -> Any:
    return _change(stage, step, "cancel", {"reason": step.arguments.get("reason", "golden case")})


def clear(stage: Stage, step: Step) -> Any:
    return _change(stage, step, "clear", {"reconciled": True})


def _change(stage: Stage, step: Step, verb: str, asked: Mapping[str, Any]) -> Any:
    """On the document as it stands when the step comes."""
    by = stage.actor(step.actor).credentials
    document = stage.document(step.arguments["document"])
    etag = stage.portolan.etag(f"/v1/documents/{document.id}", by)
    path = f"/v1/documents/{document.id}:{verb}"
    return stage.portolan.call("POST", path, by, body=asked, key=stage.key(step), if_match=etag)


def request(stage: Stage, step: Step) -> dict[str, Any]:
    changes = {place: stage.filled(step.actor, value) for place, value in (step.arguments.get("changes") or {}).items()}
    arguments = {**step.arguments, "changes": _named(stage, changes)}
    asked: dict[str, Any] = {"type": arguments["type"], "body": body.build(stage.portolan, arguments)}
    if "on_behalf_of" in arguments:
        asked["on_behalf_of"] = stage.organisation_id(arguments["on_behalf_of"])
    return asked


def open_task(stage: Stage, step: Step, by: Credentials) -> Mapping[str, Any]:
    document = stage.document(step.arguments["document"])

    def look() -> Mapping[str, Any] | None:
        return next((task for task in tasks_of(stage, document, by) if _is_meant(task, step)), None)

    task = stage.eventually(look, lambda found: found is not None)
    if task is None:
        raise NothingToDecide(f"no open task {step.arguments['step']} on {document.reference} for {step.actor}")
    return task


def tasks_of(stage: Stage, document: Document, by: Credentials) -> list[dict[str, Any]]:
    return stage.portolan.items("/v1/tasks", by, document_id=document.id)


def _is_meant(task: Mapping[str, Any], step: Step) -> bool:
    rule = step.arguments.get("rule")
    fits = task["step"] == step.arguments["step"] and rule in (None, task.get("rule"))
    return fits and task["state"] in LIVE_TASKS


ACTS: Mapping[str, Act] = {
    "submit": submit,
    "see": see,
    "simulate": simulate,
    "decide": decide,
    "request_information": request_information,
    "provide_information": provide_information,
    "satisfy": conditions.satisfy,
    "impute": impute,
    "cancel_imputation": cancel_imputation,
    "tell_declaration": tell_declaration,
    "pay": pay,
    "cancel_payment": cancel_payment,
    "clear": clear,
    "change_bank": change_bank,
    "amend": amend,
    "withdraw": withdraw,
    "cancel": cancel,
    "propose_visit": visits.propose,
    "confirm_visit": visits.confirm,
    "decline_visit": visits.decline,
    "report_no_show": visits.report_no_show,
    "record_visit": visits.record,
    "sign_up": newcomers.sign_up,
    "admitted": newcomers.admitted,
    "complete": newcomers.complete,
    "draft": drafting.draft,
    "change_draft": drafting.change_draft,
    "submit_draft": drafting.submit_draft,
    "copy": drafting.copy_from,
    "bulk": drafting.bulk,
    "wait": waiting.wait,
}
