"""What was asked of the system and what it said: one line a moment, appended before anything else happens."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

OK, FAILED, UNKNOWN = "ok", "failed", "unknown"
LINE_BYTES_MAX = 65_536


class Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """`at` is seconds of the run. `mark`: `run`, `invoked`, `answered`, `played`, `fault` or `caught_up`."""

    mark: str
    at: float
    number: int = 0
    name: str = ""
    document: int = 0
    who: str = ""
    path: str = ""
    key: str = ""
    head: dict[str, str] = {}
    digest: str = ""
    intended: float = 0.0
    outcome: str = ""
    status: int = 0
    answer: dict[str, Any] = {}
    attempts: int = 0
    trouble: str = ""
    seed: int = 0
    day: str = ""
    seconds: float | None = None


class Operation(msgspec.Struct):
    """One call that changes something, with everything that was ever heard of it; `unknown` until it was answered."""

    number: int
    name: str
    document: int
    who: str
    path: str
    key: str
    digest: str
    invoked_at: float
    intended_at: float
    outcome: str = UNKNOWN
    status: int = 0
    answer: dict[str, Any] = {}
    attempts: int = 0
    answered_at: float = 0.0
    first_outcome: str = UNKNOWN
    contradictions: list[str] = []

    def hears(self, line: Line) -> None:
        """A second answer must be the first one again."""
        if self.first_outcome == UNKNOWN and not self.answered_at:
            self.first_outcome = line.outcome
        if self.outcome == OK and line.outcome != UNKNOWN and (line.outcome, line.answer) != (OK, self.answer):
            self.contradictions.append(f"{self.name} {self.key}: {self.answer}, then {line.status} {line.answer}")
            return
        if line.outcome != UNKNOWN:
            self.outcome, self.status, self.answer = line.outcome, line.status, line.answer
        self.attempts += line.attempts
        self.answered_at = line.at


@dataclass(frozen=True)
class Fault:
    name: str
    began_at: float
    caught_up_s: float | None = None
    trouble: str = ""


@dataclass(frozen=True)
class Played:
    """How far people took a document; `trouble` is what made them give up."""

    acts: int
    trouble: str
    at: float


@dataclass
class History:
    """A file read back. `began` is the run's own line: seed and day make its documents again."""

    began: Line
    operations: list[Operation] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    played: dict[int, Played] = field(default_factory=dict)

    @cached_property
    def submissions(self) -> dict[int, Operation]:
        """By the number of the document."""
        return {one.document: one for one in self.operations if one.name == "submit"}

    def fault_at(self, moment: float) -> str:
        """The last one that had begun by then."""
        names = [fault.name for fault in self.faults if fault.began_at <= moment]
        return names[-1] if names else ""


class Recorder:
    """Appends; what is written stays when whoever writes is killed."""

    def __init__(self, file: Path) -> None:
        self._file = file.open("ab", buffering=0)
        self._encoder = msgspec.json.Encoder()

    def write(self, line: Line) -> None:
        self._file.write(self._encoder.encode(line) + b"\n")

    def close(self) -> None:
        self._file.close()


def read(file: Path) -> History:
    """A last line that was cut off by a crash is no line."""
    lines = list(_lines(file))
    if not lines or lines[0].mark != "run":
        raise ValueError(f"{file} does not begin with a run")
    history, known = History(lines[0]), dict[int, Operation]()
    for line in lines[1:]:
        _take(history, known, line)
    return history


def _lines(file: Path) -> Iterator[Line]:
    decoder = msgspec.json.Decoder(Line)
    with file.open("rb") as lines:
        for raw in lines:
            if raw.endswith(b"\n"):
                yield decoder.decode(raw)


def _take(history: History, known: dict[int, Operation], line: Line) -> None:
    if line.mark == "invoked":
        asked = (line.number, line.name, line.document, line.who, line.path, line.key, line.digest)
        known[line.number] = Operation(*asked, invoked_at=line.at, intended_at=line.intended)
        history.operations.append(known[line.number])
    elif line.mark == "answered":
        known[line.number].hears(line)
    elif line.mark == "played":
        history.played[line.document] = Played(line.attempts, line.trouble, line.at)
    elif line.mark == "fault":
        history.faults.append(Fault(line.name, line.at))
    elif line.mark == "caught_up":
        before = history.faults.pop()
        history.faults.append(Fault(before.name, before.began_at, line.seconds, line.trouble))


def digest(content: object) -> str:
    """Of what it says, not of how it is written."""
    return hashlib.sha256(msgspec.json.encode(content, order="deterministic")).hexdigest()[:32]


def digest_of_json(raw: bytes | str) -> str:
    with suppress(msgspec.DecodeError):
        return digest(msgspec.json.decode(raw))
    return ""
