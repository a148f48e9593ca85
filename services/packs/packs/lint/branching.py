"""Steps that lead elsewhere than to the next: every way arrives, every step is reached, no case goes round for ever."""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import Finding
from ..model import DocumentType, Outcome, Step
from .steps import amending_steps
from .subject import Subject
from .ways import after, ends_unconcerned, reachable, target, walk

ENTRIES_LIMIT = 20


def ways_lead_to_steps(subject: Subject) -> Iterator[Finding]:
    for kind, file, index, step in _steps(subject):
        for name, outcome in step.outcomes.items():
            if outcome.leads_to and target(kind, index, outcome) is None:
                yield subject.at(file, ("steps", index, "outcomes", name), f"no step {outcome.leads_to}")


def steps_can_be_reached(subject: Subject) -> Iterator[Finding]:
    for kind in subject.pack.document_types.values():
        for index, before, _ in walk(kind):
            if not before:
                message = f"no way leads to step {kind.steps[index].key}"
                yield subject.at(subject.type_files[kind.key], ("steps", index), message)


def loops_are_bounded(subject: Subject) -> Iterator[Finding]:
    for kind, file, index, step in _steps(subject):
        if not 1 <= step.entries_max <= ENTRIES_LIMIT:
            message = f"a step is entered from once to {ENTRIES_LIMIT} times"
            yield subject.at(file, ("steps", index, "entries_max"), message)
        for name, outcome in step.outcomes.items():
            place = target(kind, index, outcome)
            is_unchosen = outcome.by == "system" or (step.tacit is not None and step.tacit.outcome == name)
            if is_unchosen and place is not None and place <= index:
                message = f"{name} leads back, and nobody chooses it: the case could go round for ever"
                yield subject.at(file, ("steps", index, "outcomes", name), message)


def finished_documents_are_final(subject: Subject) -> Iterator[Finding]:
    for kind in subject.pack.document_types.values():
        for index, before, opened in walk(kind):
            for name, outcome in kind.steps[index].outcomes.items():
                ends = after(kind, opened or before, outcome.event) if outcome.then == "finish" else ()
                for end in sorted(end for end in ends if not _is_final(kind, end)):
                    place = ("steps", index, "outcomes", name)
                    message = f"{name} finishes the case, but {end} is not final"
                    yield subject.at(subject.type_files[kind.key], place, message)


def graver_words_still_stand(subject: Subject) -> Iterator[Finding]:
    """A case finishes with the gravest of what its steps said to the end, so that move must be there later too."""
    for kind in subject.pack.document_types.values():
        for index, before, opened in walk(kind):
            lighter = [one for one in _finishing(kind.steps[index]).values()]
            for earlier in (place for place in range(len(kind.steps)) if index in reachable(kind, place)):
                for name, outcome in _finishing(kind.steps[earlier]).items():
                    outweighs = any(outcome.weight > one.weight for one in lighter)
                    if outweighs and not after(kind, opened or before, outcome.event):
                        message = f"{name} of {kind.steps[earlier].key} may end the case here: no transition"
                        place = ("steps", index, "outcomes")
                        yield subject.at(subject.type_files[kind.key], place, f"{message} {outcome.event}")


def outcomes_side_by_side_are_weighed(subject: Subject) -> Iterator[Finding]:
    """Where several agencies answer, two outcomes that lead elsewhere must not weigh the same."""
    for _, file, index, step in _steps(subject):
        if step.agency.rules is None and not step.agency.decided:
            continue
        ways: dict[int, Outcome] = {}
        for name, outcome in step.outcomes.items():
            if outcome.then == "close":
                continue
            other = ways.setdefault(outcome.weight, outcome)
            if (other.then, other.event) != (outcome.then, outcome.event):
                message = f"{name} weighs the same as another outcome that leads elsewhere"
                yield subject.at(file, ("steps", index, "outcomes", name), message)


def deciders_decide(subject: Subject) -> Iterator[Finding]:
    for kind, file, index, step in _steps(subject):
        place = ("steps", index, "agency")
        for wanted in step.agency.decided:
            earlier = kind.step(wanted.step)
            if earlier is None:
                yield subject.at(file, place, f"no step {wanted.step}")
                continue
            for name in (name for name in wanted.outcomes if name not in earlier.outcomes):
                yield subject.at(file, place, f"step {wanted.step} has no outcome {name}")
        if step.agency.laboratory and not step.agency.decided:
            yield subject.at(file, place, "a laboratory works for agencies that decided something")


def laboratories_exist(subject: Subject) -> Iterator[Finding]:
    for index, agency in enumerate(subject.pack.agencies.values()):
        if agency.laboratory is not None and agency.laboratory not in subject.pack.agencies:
            yield subject.at("agencies.yaml", (index, "laboratory"), f"unknown agency {agency.laboratory}")


def somebody_is_concerned(subject: Subject) -> Iterator[Finding]:
    """A document that no rule concerns must still come to an end."""
    for kind in subject.pack.document_types.values():
        file = subject.type_files[kind.key]
        if kind.unconcerned and kind.transition(kind.initial_state, kind.unconcerned) is None:
            yield subject.at(file, ("unconcerned",), f"no transition {kind.unconcerned} from {kind.initial_state}")
        if not kind.unconcerned and not kind.title and ends_unconcerned(kind):
            message = "where no rule concerns a document nobody is asked: say by `unconcerned` what becomes of it"
            yield subject.at(file, ("steps",), message)


def amendments_go_straight_on(subject: Subject) -> Iterator[Finding]:
    for kind in subject.pack.document_types.values():
        for key, index, step in amending_steps(kind):
            for name, outcome in step.outcomes.items():
                if outcome.then not in {"next", "close"}:
                    place = (key, "steps", index, "outcomes", name)
                    yield subject.at(subject.type_files[kind.key], place, "an amendment goes on or is closed")


def _finishing(step: Step) -> dict[str, Outcome]:
    return {name: outcome for name, outcome in step.outcomes.items() if outcome.then == "finish"}


def _is_final(kind: DocumentType, key: str) -> bool:
    state = kind.state(key)
    return state is None or state.kind == "final"


def _steps(subject: Subject) -> Iterator[tuple[DocumentType, str, int, Step]]:
    for kind in subject.pack.document_types.values():
        for index, step in enumerate(kind.steps):
            yield kind, subject.type_files[kind.key], index, step


RULES = (
    ways_lead_to_steps,
    steps_can_be_reached,
    loops_are_bounded,
    finished_documents_are_final,
    graver_words_still_stand,
    outcomes_side_by_side_are_weighed,
    deciders_decide,
    laboratories_exist,
    somebody_is_concerned,
    amendments_go_straight_on,
)
