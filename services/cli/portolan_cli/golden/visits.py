"""Visits in a case: what is said of the last one proposed for a document, over public HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from packs import read
from packs.calendar import WorkingCalendar
from packs.reader import default_pack_path

from portolan_cli.golden.case import CaseError, Step
from portolan_cli.golden.stage import Stage

# The appointment of a case: an hour, half an hour after offices open on a coming day.
OPENED_S, LASTS_S = 1800, 3600


def propose(stage: Stage, step: Step) -> Any:
    """`days` ahead, tomorrow unless said; `from` and `to` may be given as they are, to see them refused."""
    document = stage.document(step.arguments["document"])
    asked = {"place": step.arguments.get("place", "Quai 3"), **_slot(stage, step.arguments)}
    by = stage.actor(step.actor).credentials
    return stage.portolan.post(f"/v1/documents/{document.id}/visits", by, asked, key=stage.key(step))


def confirm(stage: Stage, step: Step) -> Any:
    return _say(stage, step, "confirm", {})


def decline(stage: Stage, step: Step) -> Any:
    return _say(stage, step, "decline", {"reason": step.arguments.get("reason", "golden case")})


def report_no_show(stage: Stage, step: Step) -> Any:
    return _say(stage, step, "no-show", {"party": step.arguments["party"]})


def record(stage: Stage, step: Step) -> Any:
    return _say(stage, step, "record", {"findings": step.arguments.get("findings", "golden case")})


def _say(stage: Stage, step: Step, verb: str, asked: Mapping[str, Any]) -> Any:
    """`once`: the state that the visit comes to by itself before this is said."""
    by = stage.actor(step.actor).credentials
    document = stage.document(step.arguments["document"])

    def look() -> list[dict[str, Any]]:
        path = f"/v1/documents/{document.id}/visits"
        known: list[dict[str, Any]] = stage.portolan.get(path, document.submitter)["items"]
        return known

    known = stage.eventually(look, lambda seen: not seen or step.arguments.get("once") in (None, seen[-1]["state"]))
    if not known:
        raise CaseError(f"{stage.case.name}: step {step.number}: no visit was proposed for {document.reference}")
    return stage.portolan.post(f"/v1/visits/{known[-1]['id']}:{verb}", by, asked or None, key=stage.key(step))


def slot(days: int, now: datetime | None = None) -> dict[str, str]:
    """An hour of working time on a day to come."""
    offices = WorkingCalendar(read(default_pack_path()).calendar)
    day = ((now or datetime.now(UTC)) + timedelta(days=days)).replace(hour=0, minute=0, second=0, microsecond=0)
    starts_at = offices.add(day, OPENED_S)
    return {"from": _written(starts_at), "to": _written(starts_at + timedelta(seconds=LASTS_S))}


def _slot(stage: Stage, arguments: Mapping[str, Any]) -> dict[str, str]:
    if "from" in arguments:
        return {"from": arguments["from"], "to": arguments["to"]}
    return slot(int(arguments.get("days", 1)), stage.now())


def _written(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
