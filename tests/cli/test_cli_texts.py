"""The lint of a pack also asks the system's own catalogues for the pack's languages."""

from pathlib import Path

import packs
import pytest
from packs.reader import PACKS_FOLDER
from portolan_cli import places, texts

SPOKEN = sorted(
    {language for file in PACKS_FOLDER.glob("*/pack.yaml") for language in packs.read(file.parent).languages}
)


def test_the_packs_speak_more_than_three_languages() -> None:
    assert len(SPOKEN) > 3


@pytest.mark.parametrize("name", texts.CATALOGUES)
def test_every_catalogue_is_where_the_lint_looks(name: str) -> None:
    assert (places.workspace() / name).is_file()


def test_the_system_speaks_every_language_of_every_pack() -> None:
    assert list(texts.missing(places.workspace(), SPOKEN)) == []


def test_a_language_nobody_wrote_is_missing_everywhere() -> None:
    files = {finding.file for finding in texts.missing(places.workspace(), ["tlh"])}
    assert files == {str(places.workspace() / name) for name in texts.CATALOGUES}


def test_what_is_missing_is_named_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / texts.CATALOGUES[0]
    file.parent.mkdir(parents=True)
    file.write_text('# titles\nFIRST: {en: "First", es: "Primero"}\nSECOND: {en: "Second", es: " "}\n')
    assert [(found.line, found.message) for found in texts.missing(tmp_path, ["en", "es"])] == [
        (3, "SECOND says nothing in es")
    ]
