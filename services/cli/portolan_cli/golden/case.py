"""A golden case as its file says it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from packs import PackError

from portolan_cli.pack_file import read

VERBS = (
    *("submit", "simulate", "decide", "request_information", "provide_information"),
    *("impute", "cancel_imputation", "pay", "cancel_payment", "clear", "change_bank", "tell_declaration"),
    *("amend", "withdraw", "cancel", "satisfy"),
    *("propose_visit", "confirm_visit", "decline_visit", "report_no_show", "record_visit"),
    *("sign_up", "admitted", "complete"),
    *("draft", "change_draft", "submit_draft", "copy", "bulk"),
    *("see", "wait"),
)
STEP_KEYS = frozenset({"as", "save", "expect", "expect_problem", *VERBS})
# Nobody does it: it happens to everybody.
UNACTED_VERBS = frozenset({"wait"})
WAIT_UNITS = frozenset({"days", "hours", "minutes"})
CASE_KEYS = frozenset({"name", "title", "actors", "steps", "finally"})


DETAILS = ("step", "outcome", "event", "days", "hours", "minutes")


class CaseError(Exception):
    """The file is not a golden case; the message says where."""


@dataclass(frozen=True)
class Step:
    number: int
    actor: str
    verb: str
    arguments: Mapping[str, Any]
    save: str = ""
    expect: Mapping[str, Any] = field(default_factory=dict)
    expect_problem: Mapping[str, Any] | None = None

    @property
    def description(self) -> str:
        about = self.arguments.get("type") or self.arguments.get("document") or self.arguments.get("imputation") or ""
        detail = "/".join(str(self.arguments[key]) for key in DETAILS if key in self.arguments)
        return " ".join(part for part in (self.actor, self.verb, str(about), detail) if part)


@dataclass(frozen=True)
class Case:
    name: str
    title: Mapping[str, str]
    actors: Mapping[str, Mapping[str, Any]]
    steps: Sequence[Step]
    ending: Sequence[Mapping[str, Any]]

    @property
    def waits(self) -> bool:
        return any(step.verb == "wait" for step in self.steps)


def load_all(pack: Path) -> list[Case]:
    """The pack's cases that are worth watching, by file name."""
    files = sorted((pack / "golden").glob("*.yaml"))
    if not files:
        raise CaseError(f"{pack / 'golden'} holds no case")
    return [load(file) for file in files]


def load_moves(pack: Path) -> list[Case]:
    """Those that are for completeness: together with the others they make every move a document can make.

    Whoever waits comes last: the others are played in today's time.
    """
    found = [load(file) for file in sorted((pack / "golden" / "moves").glob("*.yaml"))]
    return sorted(found, key=lambda case: case.waits)


def load(file: Path) -> Case:
    try:
        content = read(file)
    except PackError as error:
        raise CaseError(f"{file}: {error}") from error
    if not isinstance(content, dict):
        raise CaseError(f"{file}: a case is a mapping")
    return from_content(content, str(file))


def from_content(content: Mapping[str, Any], where: str = "case") -> Case:
    _known_keys(content, CASE_KEYS, where)
    for needed in ("name", "actors", "steps"):
        if not content.get(needed):
            raise CaseError(f"{where}: {needed} is missing")
    steps = [_step(number, step, f"{where}: step {number}") for number, step in enumerate(content["steps"], start=1)]
    for step in steps:
        if step.verb not in UNACTED_VERBS and step.actor not in content["actors"]:
            raise CaseError(f"{where}: step {step.number}: {step.actor!r} is not among the actors")
    return Case(content["name"], content.get("title", {}), content["actors"], steps, content.get("finally") or [])


def _step(number: int, content: Mapping[str, Any], where: str) -> Step:
    _known_keys(content, STEP_KEYS, where)
    verbs = [verb for verb in VERBS if verb in content]
    if len(verbs) != 1 or ("as" in content) == (verbs[0] in UNACTED_VERBS):
        raise CaseError(f"{where}: needs `as` (a wait has none) and exactly one of {', '.join(VERBS)}")
    asked = content[verbs[0]]
    if verbs[0] == "wait" and not (isinstance(asked, dict) and asked and set(asked) <= WAIT_UNITS):
        raise CaseError(f"{where}: a wait is of {', '.join(sorted(WAIT_UNITS))}")
    return Step(
        number=number,
        actor=content.get("as", ""),
        verb=verbs[0],
        arguments=asked,
        save=content.get("save", ""),
        expect=content.get("expect") or {},
        expect_problem=content.get("expect_problem"),
    )


def _known_keys(content: Mapping[str, Any], known: frozenset[str], where: str) -> None:
    unknown = set(content) - known
    if unknown:
        raise CaseError(f"{where}: unknown {', '.join(sorted(map(str, unknown)))}")
