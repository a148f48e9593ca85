"""Reads a pack folder into a `Pack`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from . import generated
from .decode import decode, decode_each, mapping
from .errors import Finding, PackError
from .model import (
    Agency,
    Alert,
    Calendar,
    Code,
    CodeList,
    Dictionary,
    DocumentType,
    Escalation,
    Identity,
    NotificationRule,
    Pack,
    Rate,
    Reason,
    Refund,
    Risk,
    Routing,
    Rule,
    TariffVersion,
    Template,
    Transition,
    Value,
)
from .source import Source, load

PACK_PATH_VARIABLE = "PORTOLAN_PACK_PATH"
PACKS_FOLDER = Path(__file__).resolve().parent.parent
_CODE_FIELDS = {"code", "labels", "untranslated"}
Part = TypeVar("Part")
Keyed = TypeVar("Keyed")


def default_pack_path() -> Path:
    """PORTOLAN_PACK_PATH, else the folder that services/packs/DEFAULT names."""
    if chosen := os.environ.get(PACK_PATH_VARIABLE):
        return Path(chosen)
    name = (PACKS_FOLDER / "DEFAULT").read_text("utf-8").strip()
    return PACKS_FOLDER / name


def read(path: Path | str) -> Pack:
    """The whole pack, or a PackError with every fault that keeps it from being read."""
    return Folder(Path(path)).pack()


class Folder:
    """A pack folder being read: parts that fail leave their findings, the others go on."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.findings: list[Finding] = []
        self.sources: dict[str, Source] = {}

    def pack(self) -> Pack:
        parts = self.parts()
        if self.findings:
            raise PackError(sorted(set(self.findings)))
        languages = parts["identity"].languages
        lists = {key: generated.filled(codes, languages) for key, codes in parts.pop("lists").items()}
        return Pack(lists=lists, **parts)

    def parts(self) -> dict[str, Any]:
        if not self.root.is_dir():
            raise PackError([Finding(str(self.root), 1, "no such pack folder")])
        return {
            "identity": self._part("pack.yaml", _whole(Identity)),
            "agencies": self._part("agencies.yaml", _keyed_list(Agency, "code")) or {},
            "calendar": self._part("calendar.yaml", _whole(Calendar)),
            "routing": self._part("routing.yaml", _routing),
            "risk": self._part("risk.yaml", _whole(Risk), optional=True) or Risk(),
            "alerts": self._part("alerts.yaml", _list_under("alerts", Alert), optional=True),
            "tariff": self._part("tariff.yaml", _list_under("versions", TariffVersion), optional=True) or (),
            "refunds": self._part("refunds.yaml", _list_under("refunds", Refund), optional=True) or (),
            "rates": self._part("rates.yaml", _list_under("rates", Rate), optional=True) or (),
            **self._notifications(),
            "templates": dict(self._named("templates", _whole(Template))),
            "lists": dict(self._named("lists", _code_list)),
            "reasons": self._part("reasons.yaml", _keyed_list(Reason, "code"), optional=True) or {},
            "ladder": self._part("ladder.yaml", _list_under("rungs", Escalation), optional=True),
            "dictionary": self._part("dictionary.yaml", _whole(Dictionary), optional=True) or Dictionary(),
            "document_types": dict(self._document_types()),
        }

    def source(self, file: Path) -> Source:
        source = load(self.root, file)
        self.sources[source.name] = source
        return source

    def _part(self, name: str, make: Callable[[Source], Part], *, optional: bool = False) -> Part | None:
        file = self.root / name
        if optional and not file.exists():
            return None
        return self._made(file, make)

    def _made(self, file: Path, make: Callable[[Source], Part]) -> Part | None:
        try:
            return make(self.source(file))
        except PackError as error:
            self.findings.extend(error.findings)
            return None

    def _notifications(self) -> dict[str, Any]:
        return self._part("notifications.yaml", _notifications, optional=True) or {}

    def _named(self, folder: str, make: Callable[[Source], Part]) -> Iterator[tuple[str, Part]]:
        for file in sorted((self.root / folder).glob("*.yaml")):
            part = self._made(file, make)
            if part is not None:
                yield file.stem, part

    def _document_types(self) -> Iterator[tuple[str, DocumentType]]:
        for file in sorted((self.root / "document_types").glob("*/type.yaml")):
            schema = self._made(file.with_name("schema.json"), mapping)
            document_type = self._made(file, _document_type)
            if document_type is not None:
                yield document_type.key, msgspec.structs.replace(document_type, schema=schema or {})


def _whole(kind: type[Part]) -> Callable[[Source], Part]:
    return lambda source: decode(source, source.value, kind)


def _list_under(key: str, kind: type[Part]) -> Callable[[Source], tuple[Part, ...]]:
    """A list under one key, or the bare list when the file has nothing else to say."""

    def make(source: Source) -> tuple[Part, ...]:
        if isinstance(source.value, list):
            return decode_each(source, source.value, kind)
        _only(source, {key})
        return decode_each(source, mapping(source).get(key), kind, (key,))

    return make


def _keyed_list(kind: type[Keyed], key: str) -> Callable[[Source], dict[str, Keyed]]:
    def make(source: Source) -> dict[str, Keyed]:
        items = decode_each(source, source.value, kind)
        _refuse_repeated(source, [str(getattr(item, key)) for item in items])
        return {str(getattr(item, key)): item for item in items}

    return make


def _refuse_repeated(source: Source, keys: list[str], *place: str) -> None:
    repeated = [index for index, key in enumerate(keys) if key in keys[:index]]
    if repeated:
        raise PackError([source.finding((*place, index), f"{keys[index]} is given twice") for index in repeated])


def _only(source: Source, keys: set[str]) -> None:
    unknown = [key for key in mapping(source) if key not in keys]
    if unknown:
        raise PackError([source.finding((key,), f"unknown field `{key}`") for key in unknown])


def _notifications(source: Source) -> dict[str, Any]:
    if isinstance(source.value, list):
        return {"notification_rules": decode_each(source, source.value, NotificationRule)}
    _only(source, {"rules", "digest"})
    raw = mapping(source)
    rules = decode_each(source, raw.get("rules"), NotificationRule, ("rules",))
    digest = raw.get("digest")
    return {"notification_rules": rules, "digest": decode(source, digest, str, ("digest",)) if digest else None}


def _routing(source: Source) -> Routing:
    _only(source, {"version", "effective_from", "rules"})
    raw = mapping(source)
    rules = decode_each(source, raw.get("rules"), Rule, ("rules",))
    _refuse_repeated(source, [rule.id for rule in rules], "rules")
    head = decode(source, {**raw, "rules": []}, Routing)
    return msgspec.structs.replace(head, rules=rules)


def _code_list(source: Source) -> CodeList:
    raw = mapping(source)
    codes = decode_each(source, [_code(code) for code in raw.get("codes") or []], Code, ("codes",))
    keys = [code.code for code in codes]
    if len(set(keys)) < len(keys):
        _refuse_repeated(source, keys, "codes")
    head = decode(source, {**raw, "codes": []}, CodeList)
    return msgspec.structs.replace(head, codes=codes)


def _code(raw: Any) -> Any:
    """What a list says of a code beyond its labels goes into `attributes`."""
    if not isinstance(raw, dict):
        return raw
    own = {key: value for key, value in raw.items() if key in _CODE_FIELDS}
    rest = {key: value for key, value in raw.items() if key not in _CODE_FIELDS and key != "attributes"}
    attributes = {**rest, **(raw.get("attributes") or {})}
    return {**own, "attributes": msgspec.to_builtins(attributes)}


def _document_type(source: Source) -> DocumentType:
    raw = mapping(source)
    if "schema" in raw:
        raise PackError([source.finding(("schema",), "the schema belongs in schema.json")])
    transitions = _transitions(source, raw.get("transitions") or [])
    head = decode(source, {**raw, "transitions": []}, DocumentType)
    return msgspec.structs.replace(head, transitions=transitions)


class _Move(Value, frozen=True, kw_only=True):
    """A transition as written: `from` may name several states at once."""

    from_: str | tuple[str, ...] = msgspec.field(name="from")
    event: str
    actor: str
    to: str
    effect: Literal["reserve", "impute", "give_back", "release"] | None = None


def _transitions(source: Source, raw: Any) -> tuple[Transition, ...]:
    moves = decode_each(source, raw, _Move, ("transitions",))
    return tuple(transition for move in moves for transition in _one_each(move))


def _one_each(move: _Move) -> Iterator[Transition]:
    origins = (move.from_,) if isinstance(move.from_, str) else move.from_
    for origin in origins:
        yield Transition(from_=origin, event=move.event, actor=move.actor, to=move.to, effect=move.effect)
