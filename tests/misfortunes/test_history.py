"""What is written survives whoever wrote it, and is read back as it was."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.misfortunes.history import FAILED, OK, UNKNOWN, Line, Recorder, digest, digest_of_json, read

WRITER = """
import os, signal, sys
from pathlib import Path
from tests.misfortunes.history import Line, Recorder
recorder = Recorder(Path(sys.argv[1]))
recorder.write(Line("run", 0.0, name="r", seed=7, day="2026-05-04"))
recorder.write(Line("invoked", 0.1, 1, "submit", 1, "org", "/v1/documents", "r-1"))
os.kill(os.getpid(), signal.SIGKILL)
"""


def written(file: Path, *lines: Line) -> Path:
    recorder = Recorder(file)
    for line in (Line("run", 0.0, name="r", seed=7, day="2026-05-04"), *lines):
        recorder.write(line)
    recorder.close()
    return file


def invoked(number: int, at: float) -> Line:
    return Line("invoked", at, number, "submit", number, "org", "/v1/documents", f"r-{number}", intended=at - 0.5)


def answered(number: int, at: float, outcome: str, document_id: str = "", status: int = 201) -> Line:
    answer = {"id": document_id} if document_id else {}
    return Line("answered", at, number, outcome=outcome, status=status, answer=answer, attempts=1)


def test_a_writer_killed_leaves_what_it_wrote(tmp_path: Path) -> None:
    file = tmp_path / "history.jsonl"
    root = Path(__file__).parents[2]
    ended = subprocess.run([sys.executable, "-c", WRITER, str(file)], cwd=root, env=os.environ | {"PYTHONPATH": "."})
    assert ended.returncode == -signal.SIGKILL
    history = read(file)
    assert (history.began.seed, history.began.day) == (7, "2026-05-04")
    assert [(one.key, one.outcome) for one in history.operations] == [("r-1", UNKNOWN)]


def test_a_line_cut_off_is_no_line(tmp_path: Path) -> None:
    file = written(tmp_path / "history.jsonl", invoked(1, 1.0), answered(1, 1.2, OK, "doc-1"))
    file.write_bytes(file.read_bytes()[:-9])
    assert [one.outcome for one in read(file).operations] == [UNKNOWN]


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "history.jsonl"
    file.write_bytes(b'{"mark":"invoked","at":1.0}\n')
    with pytest.raises(ValueError, match="does not begin with a run"):
        read(file)


def test_it_appends_to_what_is_there(tmp_path: Path) -> None:
    file = written(tmp_path / "history.jsonl", invoked(1, 1.0))
    recorder = Recorder(file)
    recorder.write(answered(1, 2.0, OK, "doc-1"))
    recorder.close()
    (one,) = read(file).operations
    assert (one.outcome, one.answer, one.answered_at, one.intended_at) == (OK, {"id": "doc-1"}, 2.0, 0.5)


def test_an_unknown_that_is_settled_later_was_unknown_all_the_same(tmp_path: Path) -> None:
    lines = (invoked(1, 1.0), answered(1, 60.0, UNKNOWN, status=0), answered(1, 90.0, OK, "doc-1"))
    (one,) = read(written(tmp_path / "history.jsonl", *lines)).operations
    assert (one.first_outcome, one.outcome, one.attempts, one.contradictions) == (UNKNOWN, OK, 2, [])


def test_two_answers_that_differ_contradict_each_other(tmp_path: Path) -> None:
    lines = (invoked(1, 1.0), answered(1, 2.0, OK, "doc-1"), answered(1, 3.0, OK, "doc-2"))
    (one,) = read(written(tmp_path / "history.jsonl", *lines)).operations
    assert one.answer == {"id": "doc-1"}
    assert len(one.contradictions) == 1
    lines = (invoked(1, 1.0), answered(1, 2.0, OK, "doc-1"), answered(1, 3.0, FAILED, status=409))
    (other,) = read(written(tmp_path / "other.jsonl", *lines)).operations
    assert len(other.contradictions) == 1


def test_faults_have_their_time_and_what_came_of_them(tmp_path: Path) -> None:
    lines = (
        Line("fault", 3.0, name="kill -9 billing"),
        Line("caught_up", 5.0, name="kill -9 billing", seconds=1.5),
        Line("fault", 6.0, name="poison"),
    )
    history = read(written(tmp_path / "history.jsonl", *lines))
    assert [(fault.name, fault.caught_up_s) for fault in history.faults] == [("kill -9 billing", 1.5), ("poison", None)]
    assert [history.fault_at(moment) for moment in (1.0, 3.5, 5.9, 6.0)] == [
        "",
        "kill -9 billing",
        "kill -9 billing",
        "poison",
    ]


def test_a_digest_is_of_what_is_said_not_of_how_it_is_written() -> None:
    assert digest({"a": 1, "b": [1.5]}) == digest_of_json('{ "b": [1.5],  "a": 1 }')
    assert digest({"a": 1}) != digest({"a": 2})
