"""What can go wrong with the stack, in one sentence each."""

from __future__ import annotations

from pathlib import Path

LOG_TAIL_LINES = 15
LOG_TAIL_BYTES = 16_384


class StackFailed(Exception):
    """A server or a process was not to be had; the message says what helps, or carries the end of its log."""


class ServerMissing(StackFailed):
    """This machine lacks a program that the stack needs."""


def log_tail(log: Path) -> str:
    if not log.exists():
        return "(no log)"
    with log.open("rb") as file:
        file.seek(max(0, file.seek(0, 2) - LOG_TAIL_BYTES))
        lines = file.read().decode(errors="replace").splitlines()
    return "\n".join(lines[-LOG_TAIL_LINES:]) or "(nothing)"
