"""One YAML or JSON file of a pack as plain values, with the line on which each of them stands."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from .errors import Finding, PackError

FILE_BYTES_MAX = 4 * 1024 * 1024
DEPTH_MAX = 64

_INTEGER = re.compile(r"-?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_WORDS: dict[str, Any] = {"": None, "~": None, "null": None, "true": True, "false": False}

Place = tuple[str | int, ...]


@dataclass(frozen=True)
class Source:
    """`name` is the file's path inside the pack; `value` what it says."""

    name: str
    text: str
    value: Any

    @cached_property
    def lines(self) -> dict[Place, int]:
        node = _compose(self.name, self.text)
        places: dict[Place, int] = {(): 1}
        _note_lines(node, (), places)
        return places

    def line(self, place: Place) -> int:
        """The line of a place, or of the nearest thing around it."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 1)

    def finding(self, place: Place, message: str) -> Finding:
        return Finding(self.name, self.line(place), message)


def load(root: Path, file: Path) -> Source:
    name = file.relative_to(root).as_posix()
    text = _text(name, file)
    value = _json(name, text) if file.suffix == ".json" else _plain(name, _compose(name, text), 0)
    return Source(name, text, value)


def _text(name: str, file: Path) -> str:
    try:
        raw = file.read_bytes()
    except OSError as error:
        raise PackError([Finding(name, 1, f"cannot be read: {error.strerror}")]) from error
    if len(raw) > FILE_BYTES_MAX:
        raise PackError([Finding(name, 1, f"is larger than {FILE_BYTES_MAX} bytes")])
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise PackError([Finding(name, line, "is not UTF-8")]) from error


def _json(name: str, text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_unique_members)
    except json.JSONDecodeError as error:
        raise PackError([Finding(name, error.lineno, f"not JSON: {error.msg}")]) from error
    except _Repeated as error:
        line = text.count("\n", 0, text.rfind(json.dumps(error.key))) + 1
        raise PackError([Finding(name, line, f"member {error.key!r} is given twice")]) from error


class _Repeated(Exception):
    def __init__(self, key: str) -> None:
        self.key = key


def _unique_members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        keys = [key for key, _ in pairs]
        raise _Repeated(next(key for key in keys if keys.count(key) > 1))
    return members


def _compose(name: str, text: str) -> yaml.Node | None:
    try:
        return yaml.compose(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise PackError([Finding(name, line, f"not YAML: {error.problem or error.context}")]) from error
    except yaml.YAMLError as error:
        raise PackError([Finding(name, 1, f"not YAML: {error}")]) from error


def _plain(name: str, node: yaml.Node | None, depth: int) -> Any:
    if node is None:
        return None
    if depth > DEPTH_MAX:
        raise PackError([Finding(name, node.start_mark.line + 1, f"is nested deeper than {DEPTH_MAX}")])
    if isinstance(node, yaml.ScalarNode):
        return _scalar(node)
    if isinstance(node, yaml.SequenceNode):
        return [_plain(name, item, depth + 1) for item in node.value]
    return _mapping(name, node, depth)


def _mapping(name: str, node: yaml.Node, depth: int) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = _key(name, key_node)
        if key in members:
            raise PackError([Finding(name, key_node.start_mark.line + 1, f"key {key!r} is given twice")])
        members[key] = _plain(name, value_node, depth + 1)
    return members


def _key(name: str, node: yaml.Node) -> str:
    """Keys are text as written: chapter 64 is the key "64", country NO the key "NO"."""
    if not isinstance(node, yaml.ScalarNode):
        raise PackError([Finding(name, node.start_mark.line + 1, "a key must be a word")])
    return str(node.value)


def _scalar(node: yaml.ScalarNode) -> Any:
    """YAML 1.2 words only: unquoted `NO`, `010` and `08:30` are text, whatever YAML 1.1 thinks."""
    text: str = node.value
    if node.style in {"'", '"', "|", ">"} or node.tag == "!!str":
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return _date_or_text(text)


def _date_or_text(text: str) -> date | str:
    if not _DATE.fullmatch(text):
        return text
    try:
        return date.fromisoformat(text)
    except ValueError:
        return text


def _note_lines(node: yaml.Node | None, place: Place, places: dict[Place, int]) -> None:
    if isinstance(node, yaml.MappingNode):
        for key_node, value_node in node.value:
            inner = (*place, str(key_node.value))
            places[inner] = key_node.start_mark.line + 1
            _note_lines(value_node, inner, places)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            places[(*place, index)] = item.start_mark.line + 1
            _note_lines(item, (*place, index), places)
