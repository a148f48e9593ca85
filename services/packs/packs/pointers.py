"""Places in a body: JSON pointers (RFC 6901) and their steps, `*` for every item of a list."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

EACH = "*"
Steps = tuple[str, ...]


def steps(pointer: str) -> Steps:
    return tuple(step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:])


def pointer(path: Sequence[str | int]) -> str:
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)


def value_at(value: object, path: Sequence[str]) -> object:
    """What stands there; None where nothing does."""
    for step in path:
        if isinstance(value, list) and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        elif isinstance(value, Mapping) and step in value:
            value = value[step]
        else:
            return None
    return value


def values_at(value: object, path: Steps, place: str = "") -> Iterator[tuple[str, object]]:
    """Every value a path leads to, with its pointer."""
    if not path:
        yield place, value
    elif path[0] == EACH:
        for index, item in enumerate(value if isinstance(value, list) else ()):
            yield from values_at(item, path[1:], f"{place}/{index}")
    elif isinstance(value, dict) and path[0] in value:
        yield from values_at(value[path[0]], path[1:], place + pointer([path[0]]))
