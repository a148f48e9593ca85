"""Several streams, each sorted by the id it begins with, read side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby

from portolan_cli.reconcile.databases import Row

Side = dict[str, list[Row]]


def by_id(streams: Mapping[str, Iterator[Row]]) -> Iterator[tuple[str, Side]]:
    """For each id, in order, the rows that each stream has of it: none where it has none."""
    grouped = {name: _groups(stream) for name, stream in streams.items()}
    heads = {name: next(groups, None) for name, groups in grouped.items()}
    while True:
        present = [head[0] for head in heads.values() if head is not None]
        if not present:
            return
        least, side = min(present), Side()
        for name, head in heads.items():
            if head is not None and head[0] == least:
                side[name] = head[1]
                heads[name] = next(grouped[name], None)
            else:
                side[name] = []
        yield least, side


def _groups(stream: Iterator[Row]) -> Iterator[tuple[str, list[Row]]]:
    return ((str(key), list(rows)) for key, rows in groupby(stream, key=lambda row: row[0]))
