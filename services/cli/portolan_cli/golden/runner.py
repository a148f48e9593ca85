"""Plays a case step by step, then compares what it left behind."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from portolan_cli.client import PATIENCE_S, Portolan, Problem, Unreachable
from portolan_cli.demo_file import Demo, NoSuchActor
from portolan_cli.golden import ending
from portolan_cli.golden.acts import ACTS, NothingToDecide
from portolan_cli.golden.case import VERBS, Case, Step
from portolan_cli.golden.expectations import Difference, differences
from portolan_cli.golden.hurrying import TooSlow
from portolan_cli.golden.newcomers import NoLetter
from portolan_cli.golden.stage import EVENTUAL_S_MAX, Document, Stage
from portolan_cli.golden.waiting import ClockStands

RUN_ID_BYTES = 4
# A repetition meets its own earlier effect; the state that is expected next tells whether it had one.
EFFECT_MET = frozenset({"INVALID_TRANSITION", "PRECONDITION_FAILED"})
UNDOCUMENTED_VERBS = {"simulate", "sign_up", "admitted", "draft", "change_draft", "copy", "bulk", "wait"}
DOCUMENT_VERBS = frozenset(VERBS) - UNDOCUMENTED_VERBS


@dataclass(frozen=True)
class StepResult:
    step: Step
    took_s: float
    differences: tuple[Difference, ...]


@dataclass
class Play:
    """How one case went; the rest is by the name the case saved a document under."""

    case: Case
    run_id: str
    steps: list[StepResult] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)
    documents: dict[str, Document] = field(default_factory=dict)
    timelines: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    effects: dict[str, ending.Effects] = field(default_factory=dict)
    took_s: float = 0.0

    @property
    def is_golden(self) -> bool:
        return not self.differences


Watch = Callable[[StepResult], None]


def play(
    case: Case,
    demo: Demo,
    base_url: str = "",
    *,
    run_id: str = "",
    eventual_s: float = EVENTUAL_S_MAX,
    patience_s: float = PATIENCE_S,
    watch: Watch | None = None,
) -> Play:
    """Stops at the first step that goes otherwise than expected: what follows would only repeat the news."""
    began = time.monotonic()
    with Portolan(base_url or demo.base_url, patience_s=patience_s) as portolan:
        stage = Stage(portolan, demo, case, run_id or secrets.token_hex(RUN_ID_BYTES), eventual_s)
        result = Play(case, stage.run_id, documents=stage.documents)
        for step in case.steps:
            result.steps.append(_take(stage, step))
            result.differences.extend(result.steps[-1].differences)
            if watch is not None:
                watch(result.steps[-1])
            if result.differences:
                break
        else:
            _close(stage, result)
        result.timelines = ending.timelines(stage)
    result.took_s = time.monotonic() - began
    return result


def _close(stage: Stage, result: Play) -> None:
    try:
        result.differences.extend(ending.compare(stage))
        result.effects = ending.effects(stage)
    except (Problem, Unreachable, NoSuchActor) as error:
        result.differences.append(Difference("what the case leaves behind", "readable", str(error)))


def _take(stage: Stage, step: Step) -> StepResult:
    began = time.monotonic()
    try:
        found = _differences(stage, step)
    except (NothingToDecide, NoLetter, NoSuchActor, TooSlow, ClockStands, Unreachable) as error:
        found = [Difference(_where(step), "done", str(error))]
    return StepResult(step, time.monotonic() - began, tuple(found))


def _differences(stage: Stage, step: Step) -> list[Difference]:
    try:
        answer = ACTS[step.verb](stage, step)
    except Problem as problem:
        return _judge_problem(stage, step, problem)
    if step.expect_problem is not None:
        return [Difference(_where(step), dict(step.expect_problem), answer)]
    return _judge_answer(stage, step, answer)


def _judge_problem(stage: Stage, step: Step, problem: Problem) -> list[Difference]:
    if step.expect_problem is None:
        if problem.is_repetition and problem.code in EFFECT_MET:
            return _judge_answer(stage, step, None)
        return [Difference(_where(step), "accepted", problem.content)]
    expected = {**step.expect_problem, **step.expect_problem.get("facts", {})}
    expected.pop("facts", None)
    return differences(_where(step), expected, problem.content)


def _judge_answer(stage: Stage, step: Step, answer: Mapping[str, Any] | None) -> list[Difference]:
    """`state` is the document's, awaited; every other member is the answer's own."""
    expected = dict(step.expect)
    found: list[Difference] = []
    if "state" in expected and step.verb in DOCUMENT_VERBS:
        found += _await_state(stage, step, answer, expected.pop("state"))
    return found if answer is None else found + differences(_where(step), expected, answer)


def _await_state(stage: Stage, step: Step, answer: Mapping[str, Any] | None, state: str) -> list[Difference]:
    document = _document(stage, step)
    if document is None:
        return differences(f"{_where(step)}.state", state, (answer or {}).get("state"))
    timeline = stage.eventually(lambda: ending.timeline(stage, document), lambda seen: _reaches(seen, document, state))
    if not _reaches(timeline, document, state):
        return [Difference(f"{_where(step)}.state", state, timeline["state"])]
    reached = (item["seq"] for item in _new_items(timeline, document) if item.get("to") == state)
    document.seen = next(reached, document.seen)
    return []


def _reaches(timeline: Mapping[str, Any], document: Document, state: str) -> bool:
    """There now, or there since the last look: what runs by itself does not wait to be seen."""
    return timeline["state"] == state or any(item.get("to") == state for item in _new_items(timeline, document))


def _new_items(timeline: Mapping[str, Any], document: Document) -> list[Mapping[str, Any]]:
    return [item for item in timeline["items"] if item["seq"] > document.seen]


def _document(stage: Stage, step: Step) -> Document | None:
    if step.verb == "submit" or step.save in stage.documents:
        return stage.documents.get(step.save)
    entry = _entry(stage, step)
    if entry is not None:
        return next((known for known in stage.documents.values() if known.id == entry["document_id"]), None)
    return stage.document(step.arguments["document"]) if "document" in step.arguments else None


def _entry(stage: Stage, step: Step) -> Mapping[str, Any] | None:
    """What a step takes back, of either ledger."""
    if step.verb == "cancel_imputation":
        return stage.imputations[step.arguments["imputation"]]
    return stage.payments[step.arguments["payment"]] if step.verb == "cancel_payment" else None


def _where(step: Step) -> str:
    return f"step {step.number} ({step.description})"
