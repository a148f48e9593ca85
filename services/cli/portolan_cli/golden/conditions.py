"""Conditions in a golden case go by their codes; the window knows them by ids."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from portolan_cli.golden.case import Step
from portolan_cli.golden.stage import Stage


class NoCondition(Exception):
    """No such condition came to the document in time."""


def meant(task: Mapping[str, Any], decision: Mapping[str, Any]) -> dict[str, Any]:
    """The decision, with the ids of the conditions it finds met."""
    if "satisfies" not in decision:
        return dict(decision)
    ids = {one["code"]: one["id"] for one in task["conditions"] if one["satisfied_at"] is None}
    return {**decision, "satisfies": [ids.get(code, code) for code in decision["satisfies"]]}


def satisfy(stage: Stage, step: Step) -> Any:
    """`text` is what the file says; the same text is the same file."""
    by = stage.actor(step.actor).credentials
    document = stage.document(step.arguments["document"])
    path = f"/v1/documents/{document.id}/conditions"
    code = step.arguments["condition"]

    def look() -> str:
        found = stage.portolan.get(path, by)["items"]
        return next((str(one["id"]) for one in found if one["code"] == code), "")

    condition_id = stage.eventually(look, bool)
    if not condition_id:
        raise NoCondition(f"no condition {code} on {document.reference}")
    file = f"%PDF-1.7\n{step.arguments.get('text', code)}\n".encode()
    evidence = {"attachment": stage.portolan.upload("/v1/attachments", by, file)["sha256"]}
    return stage.portolan.post(f"{path}/{condition_id}:satisfy", by, evidence, key=stage.key(step))
