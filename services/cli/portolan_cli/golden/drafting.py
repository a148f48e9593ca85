"""Documents on their way in by other doors: drafts, copies, files of many."""

from __future__ import annotations

import copy
import csv
import io
from collections.abc import Mapping
from typing import Any

from portolan_cli.client import Credentials
from portolan_cli.golden import body
from portolan_cli.golden.case import CaseError, Step
from portolan_cli.golden.stage import Document, Stage

CSV = "text/csv; charset=utf-8"


def draft(stage: Stage, step: Step) -> Any:
    """`leaves_out` are pointers into the type's example that are not written yet."""
    arguments = {"example": True, **step.arguments}
    content: dict[str, Any] = {"type": arguments["type"], "body": body.build(stage.portolan, arguments)}
    for pointer in arguments.get("leaves_out", ()):
        body.change(content["body"], pointer, body.REMOVED)
    content |= {name: arguments[name] for name in ("label", "template") if name in arguments}
    if "on_behalf_of" in arguments:
        content["on_behalf_of"] = stage.organisation_id(arguments["on_behalf_of"])
    by = stage.actor(step.actor).credentials
    return _saved(stage, step, stage.portolan.post("/v1/drafts", by, content, key=stage.key(step)))


def change_draft(stage: Stage, step: Step) -> Any:
    """`body` is merged into what stands."""
    by, path = stage.actor(step.actor).credentials, _path(stage, step)
    etag = stage.portolan.etag(path, by)
    return stage.portolan.call("PATCH", path, by, body={"body": step.arguments["body"]}, if_match=etag)


def submit_draft(stage: Stage, step: Step) -> Any:
    by = stage.actor(step.actor).credentials
    answer = stage.portolan.post(f"{_path(stage, step)}:submit", by, key=stage.key(step))
    if step.save:
        stage.documents[step.save] = _document(answer, by)
    return answer


def copy_from(stage: Stage, step: Step) -> Any:
    """Of a document, or of a draft."""
    by = stage.actor(step.actor).credentials
    if "draft" in step.arguments:
        path = _path(stage, step)
    else:
        path = f"/v1/documents/{stage.document(step.arguments['document']).id}"
    asked = {name: step.arguments[name] for name in ("label", "template") if name in step.arguments}
    return _saved(stage, step, stage.portolan.post(f"{path}:copy", by, asked, key=stage.key(step)))


def bulk(stage: Stage, step: Step) -> Any:
    """A CSV file: the type's template, its row changed for each of `rows`. `save` names those that come in."""
    by, asked = stage.actor(step.actor).credentials, step.arguments
    template = stage.portolan.text(f"/v1/document-types/{asked['type']}/bulk-template.csv")
    query = {"type": asked["type"]}
    if "on_behalf_of" in asked:
        query["on_behalf_of"] = stage.organisation_id(asked["on_behalf_of"])
    raw = _file(template, asked["rows"])
    answer = stage.portolan.send("/v1/documents:bulk", by, raw, CSV, query=query, key=stage.key(step))
    for row in answer["rows"]:
        if step.save and "document" in row:
            filed = {**row["document"], "type": answer["type"]}
            stage.documents[f"{step.save}.{row['row']}"] = _document(filed, by)
    return answer


def _file(template: str, rows: list[Mapping[str, Any]]) -> bytes:
    (example,) = csv.DictReader(io.StringIO(template.removeprefix("\ufeff")))
    unknown = {name for row in rows for name in row} - set(example)
    if unknown:
        raise CaseError(f"the type has no columns {', '.join(sorted(unknown))}")
    written = io.StringIO()
    writer = csv.DictWriter(written, list(example))
    writer.writeheader()
    writer.writerows([{**copy.copy(example), **row} for row in rows])
    return written.getvalue().encode()


def _saved(stage: Stage, step: Step, answer: Any) -> Any:
    if step.save:
        stage.drafts[step.save] = answer["id"]
    return answer


def _path(stage: Stage, step: Step) -> str:
    name = step.arguments["draft"]
    if name not in stage.drafts:
        raise CaseError(f"{stage.case.name}: no step has saved the draft {name!r}")
    return f"/v1/drafts/{stage.drafts[name]}"


def _document(answer: Mapping[str, Any], by: Credentials) -> Document:
    return Document(answer["id"], answer["reference"], answer["type"], by)
