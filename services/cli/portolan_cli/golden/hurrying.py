"""Acting on a document in the state it is filed in, which it leaves as soon as the services have heard of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from portolan_cli.client import Problem
from portolan_cli.golden.case import Step
from portolan_cli.golden.stage import Document, Stage

HURRIES_MAX = 60


class TooSlow(Exception):
    """The bus was faster each time."""


def submit_and(verb: str, stage: Stage, step: Step, asked: Mapping[str, Any]) -> Any:
    """Files, then acts at once; with another document until it was in time. Answers as the act does."""
    for number in range(1, HURRIES_MAX + 1):
        document, answer = _try(verb, stage, step, asked, f"{stage.key(step)}-{number}")
        if answer is not None:
            stage.documents[step.save] = document
            return answer
    raise TooSlow(f"{asked['type']} was never in its first state any more when {verb} came, {HURRIES_MAX} times")


def _try(
    verb: str, stage: Stage, step: Step, asked: Mapping[str, Any], key: str
) -> tuple[Document, Mapping[str, Any] | None]:
    by = stage.actor(step.actor).credentials
    filed, etag = stage.portolan.tagged("/v1/documents", by, asked, key=key)
    document = Document(filed["id"], filed["reference"], filed["type"], by)
    path, reason = f"/v1/documents/{document.id}", {"reason": "golden case"}
    try:
        answer = stage.portolan.call("POST", f"{path}:{verb}", by, body=reason, key=f"{key}-{verb}", if_match=etag)
    except Problem as problem:
        if problem.code not in ("PRECONDITION_FAILED", "INVALID_TRANSITION"):
            raise
        return document, None
    moved = [item["from"] for item in stage.portolan.get(f"{path}/timeline", by)["items"] if item.get("from")]
    return document, answer if moved == [filed["state"]] else None
