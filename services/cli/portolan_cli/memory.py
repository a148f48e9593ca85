"""How much memory a process and its children take; what they share is counted once."""

from __future__ import annotations

from pathlib import Path

KILOBYTES_PER_MEGABYTE = 1024


def family(pid: int, others: set[int]) -> list[int]:
    """The process and its descendants, without those that are counted for themselves."""
    found, waiting = [], [pid]
    while waiting:
        current = waiting.pop()
        found.append(current)
        waiting.extend(child for child in _children(current) if child not in others)
    return found


def megabytes(pids: list[int]) -> float:
    return round(sum(map(_proportional_kilobytes, pids)) / KILOBYTES_PER_MEGABYTE, 1)


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _proportional_kilobytes(pid: int) -> int:
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    except OSError:
        pass
    return 0
