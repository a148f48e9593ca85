"""Document by document: what intake accepted, against the cases, charges and letters that follow from it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

import packs
from packs.amendments import AMENDED
from packs.model import DocumentType
from packs.tables import parts

from portolan_cli.reconcile.databases import Books, Row
from portolan_cli.reconcile.findings import Report
from portolan_cli.reconcile.merge import Side, by_id
from portolan_cli.reconcile.tariff import Milestone, Owed, Tariff

CASES, TASKS, CHARGES, TOLD = "one case", "decisions", "charges", "known to all"
# Their documents' ends are not told as decisions, and cost nothing.
ENDED_BY_OWNER = frozenset({"withdraw", "cancel"})

INTAKE = """
    select document_id::text, type, pack_version, submitted_at,
        (
            select json_agg(json_build_array(to_state, event, extract(epoch from at)) order by seq)
            from timeline_items as item where item.document_id = documents.document_id and kind = 'state'
        ),
        (
            select json_agg(json_build_array(version, extract(epoch from decided_at)) order by version)
            from amendments where amendments.document_id = documents.document_id and amendments.state = 'ACCEPTED'
        )
    from documents
    order by documents.document_id
"""
# By itself: intake has no index of all tasks by document, and a scan of them for each would never end.
SHOWN = "select document_id::text, task_id, is_open from document_tasks order by document_tasks.document_id"
ROUTING = """
    select document_id, id, state,
        (select json_object_agg(task.id, task.state) from tasks as task where task.case_id = cases.id)
    from cases
    order by document_id collate "C", id
"""
CHARGED = """
    select document_id, id, tariff, milestone, price_version, gross_minor from charges
    order by document_id collate "C", id
"""
BILLED = 'select document_id, billing_mode, price_version from documents order by document_id collate "C"'
NOTIFIED = 'select document_id, reference from documents order by document_id collate "C"'


@dataclass(frozen=True, slots=True)
class Accepted:
    id: str
    type: str
    pack_version: str
    submitted_at: datetime
    states: list[list[Any]] | None
    amended: list[list[Any]] | None

    def milestones(self) -> Iterator[Milestone]:
        """Each once: a state that is reached again costs nothing more."""
        reached: set[str] = set()
        for state, event, at in self.states or ():
            if state not in reached and event not in ENDED_BY_OWNER:
                reached.add(state)
                yield Milestone(state, state, _moment(at, self.submitted_at))
        for version, at in self.amended or ():
            yield Milestone(f"{AMENDED}/{version}", AMENDED, _moment(at, self.submitted_at))


def _moment(epoch_s: float, near: datetime) -> datetime:
    return datetime.fromtimestamp(epoch_s, near.tzinfo)


def examine(books: Books, report: Report) -> None:
    kinds, tariff = Kinds(books), Tariff(books)
    streams = {
        "intake": books.stream("intake", INTAKE),
        "tasks": books.stream("intake", SHOWN),
        "cases": books.stream("routing", ROUTING),
        "charges": books.stream("billing", CHARGED),
        "billed": books.stream("billing", BILLED),
        "notified": books.stream("notifications", NOTIFIED),
    }
    for check in (CASES, TASKS, CHARGES, TOLD):
        report.begin(check)
    for document_id, side in by_id(streams):
        if side["intake"]:
            _examine_document(report, Accepted(*side["intake"][0]), side, kinds, tariff)
        else:
            _examine_orphan(report, document_id, side)


def _examine_orphan(report: Report, document_id: str, side: Side) -> None:
    for case in side["cases"]:
        report.find(CASES, document_id, f"case {case[1]} is of no document")
    for charge in side["charges"]:
        report.find(CHARGES, document_id, f"charge {charge[1]} is of no document")
    for where in ("billed", "notified"):
        if side[where]:
            report.find(TOLD, document_id, f"{_SERVICE[where]} knows a document that intake does not")


_SERVICE = {"billed": "billing", "notified": "notifications"}


def _examine_document(report: Report, document: Accepted, side: Side, kinds: Kinds, tariff: Tariff) -> None:
    kind = kinds.of(document)
    _cases(report, document, side["cases"], kind)
    _tasks(report, document, side)
    _told(report, document, side)
    if side["billed"]:
        _charges(report, document, side, kind, tariff)


def _cases(report: Report, document: Accepted, cases: list[Row], kind: DocumentType | None) -> None:
    report.look(CASES)
    begins = kind is None or not kind.is_filed_in_stages or _has_begun(document, kind)
    if begins and not cases:
        report.find(CASES, document.id, "has no case")
    if len(cases) > 1:
        report.find(CASES, document.id, f"has {len(cases)} cases: {', '.join(str(case[1]) for case in cases)}")


def _has_begun(document: Accepted, kind: DocumentType) -> bool:
    return any(state in kind.case_begins_in for state, _, _ in document.states or ())


def _tasks(report: Report, document: Accepted, side: Side) -> None:
    """What routing has decided intake has closed; what it has not, intake shows as open."""
    routed = {task: state for case in side["cases"] for task, state in (case[3] or {}).items()}
    shown = {str(task): bool(is_open) for _, task, is_open in side["tasks"]}
    report.look(TASKS, len(routed))
    for task in sorted(set(routed) | set(shown)):
        if task not in shown:
            report.find(TASKS, document.id, f"task {task} ({routed[task]}) is unknown to intake")
        elif task not in routed:
            report.find(TASKS, document.id, f"task {task} is unknown to routing")
        elif shown[task] != (routed[task] not in ("DECIDED", "CANCELLED")):
            report.find(TASKS, document.id, f"task {task} is {routed[task]}, and {_said(shown[task])} in intake")


def _said(is_open: bool) -> str:
    return "open" if is_open else "closed"


def _told(report: Report, document: Accepted, side: Side) -> None:
    report.look(TOLD)
    for where, service in _SERVICE.items():
        if not side[where]:
            report.find(TOLD, document.id, f"{service} has not heard of it")
    if side["notified"] and side["notified"][0][1] is None:
        report.find(TOLD, document.id, "notifications waits for its submission")


def _charges(report: Report, document: Accepted, side: Side, kind: DocumentType | None, tariff: Tariff) -> None:
    _, segment, promised = side["billed"][0]
    owed = [
        one
        for milestone in document.milestones()
        for one in tariff.owed(document.type, segment, promised, milestone)
        if not (kind is not None and kind.is_filed_in_stages and milestone.state == AMENDED)
    ]
    report.look(CHARGES, len(side["charges"]))
    charged: dict[tuple[str, str], list[Row]] = {}
    for row in side["charges"]:
        charged.setdefault((row[2], row[3]), []).append(row)
    for one in owed:
        _charge(report, document, one, charged.pop((one.tariff, one.milestone), []))
    for (code, milestone), rows in charged.items():
        report.find(CHARGES, document.id, f"charge {rows[0][1]}: nothing is owed for {code} at {milestone}")


def _charge(report: Report, document: Accepted, owed: Owed, rows: list[Row]) -> None:
    what = f"{owed.tariff} at {owed.milestone}"
    if not rows:
        report.find(CHARGES, document.id, f"{what} is owed and not charged")
    elif len(rows) > 1:
        report.find(CHARGES, document.id, f"{what} is charged {len(rows)} times: {', '.join(row[1] for row in rows)}")
    elif rows[0][5] != owed.gross_minor:
        report.find(CHARGES, document.id, f"{what} is charged as {rows[0][5]} instead of {owed.gross_minor}")


class Kinds:
    """Document types as of the pack version that a document was born under, from intake's own copy of the packs."""

    def __init__(self, books: Books) -> None:
        self._packs = {
            pack.version: pack
            for (content,) in books.rows("intake", "select content::text from pack_versions")
            for pack in [packs.loads(content)]
        }
        self._find = cache(self._found)

    def of(self, document: Accepted) -> DocumentType | None:
        return self._find(document.type, document.pack_version)

    def _found(self, name: str, pack_version: str) -> DocumentType | None:
        pack = self._packs.get(parts(pack_version)[0])
        return pack.document_types.get(name) if pack is not None else None
