"""The pack under examination: what it says, and the files that say it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ..errors import Finding, PackError
from ..model import DocumentType, Pack
from ..reader import Folder
from ..source import Place, Source


@dataclass(frozen=True)
class Subject:
    pack: Pack
    sources: dict[str, Source]

    def at(self, file: str, place: Place, message: str) -> Finding:
        source = self.sources.get(file)
        return source.finding(place, message) if source else Finding(file, 1, message)

    def under(self, folder: str) -> Iterator[Source]:
        return (source for name, source in self.sources.items() if name.startswith(f"{folder}/"))

    @cached_property
    def type_files(self) -> dict[str, str]:
        """The folder of each document type, by its key."""
        files = [source for source in self.under("document_types") if source.name.endswith("/type.yaml")]
        return {source.value["key"]: source.name for source in files}

    @cached_property
    def examples(self) -> dict[str, list[Any]]:
        """The complete bodies each type gives as examples."""
        types = self.pack.document_types.values()
        return {kind.key: [body for body in _examples(kind) if isinstance(body, dict)] for kind in types}

    def schema_file(self, kind: DocumentType) -> str:
        return self.type_files[kind.key].replace("type.yaml", "schema.json")


def examine(root: Path) -> Subject:
    folder = Folder(root)
    findings: list[Finding] = []
    try:
        pack = folder.pack()
    except PackError as error:
        findings.extend(error.findings)
    for file in [*sorted((root / "golden").rglob("*.yaml")), *sorted((root / "demo").glob("*.yaml"))]:
        try:
            folder.source(file)
        except PackError as error:
            findings.extend(error.findings)
    if findings:
        raise PackError(findings)
    return Subject(pack, folder.sources)


def _examples(kind: DocumentType) -> list[Any]:
    examples = kind.schema.get("examples")
    return examples if isinstance(examples, list) else []
