"""Another country, and one document type more: the same program by one setting, and files of the pack, nothing else."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import packs
import pytest
import yaml
from packs.lint import lint
from packs.reader import PACKS_FOLDER
from portolan_cli.embedded import ports
from portolan_cli.golden import Case, Play, coverage, load_all, load_moves, play

from tests.journeys.conftest import System

COUNTRY = PACKS_FOLDER / "meridia"
ADDED = Path(__file__).parent / "added_type"
CASES = [*load_all(COUNTRY), *load_moves(COUNTRY), *load_all(ADDED)]


def with_the_added_type(country: Path, folder: Path) -> Path:
    """The recipe of docs/adding-a-document-type.md, carried out on a copy."""
    pack = folder / country.name
    shutil.copytree(country, pack)
    for part in ("document_types", "golden"):
        shutil.copytree(ADDED / part, pack / part, dirs_exist_ok=True)
    for change in yaml.safe_load((ADDED / "around.yaml").read_text()):
        file = pack / change["file"]
        assert file.read_text().count(change["find"]) == 1, change
        file.write_text(file.read_text().replace(change["find"], change["becomes"]))
    return pack


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@pytest.fixture(scope="module")
def second() -> Iterator[System]:
    """Started like the first one, but for --pack."""
    with tempfile.TemporaryDirectory(prefix="portolan-second-", ignore_cleanup_errors=True) as folder:
        home = Path(folder) / "home"
        home.mkdir()
        Path(folder).chmod(0o755)
        home.chmod(0o755)
        running = System(home, ports.free(), with_the_added_type(COUNTRY, Path(folder)))
        running.start()
        yield running
        running.stop()


@pytest.fixture(scope="module")
def plays(second: System) -> dict[str, Play]:
    return {case.name: play(case, second.demo) for case in CASES}


def test_the_copy_with_one_type_more_has_no_fault(second: System) -> None:
    assert second.pack is not None
    assert lint(second.pack) == []
    assert set(packs.read(second.pack).document_types) - set(packs.read(COUNTRY).document_types) == {"transit_notice"}


def test_the_recipe_touches_data_of_the_pack_alone(second: System) -> None:
    assert second.pack is not None
    before, after = contents(COUNTRY), contents(second.pack)
    changed = {name for name in after if before.get(name) != after[name]}
    assert changed == {
        *("document_types/transit_notice/type.yaml", "document_types/transit_notice/schema.json"),
        *("golden/transito.yaml", "pack.yaml", "demo/seed.yaml", "reasons.yaml", "tariff.yaml", "dictionary.yaml"),
    }


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_the_case_ends_as_its_file_says(case: Case, plays: dict[str, Play]) -> None:
    assert plays[case.name].differences == []


def test_every_transition_of_every_type_was_made(second: System, plays: dict[str, Play]) -> None:
    assert second.pack is not None
    found = coverage(packs.read(second.pack), plays.values())
    assert {one.document_type: list(map(str, one.missing)) for one in found} == {
        "import_quota": [],
        "sanitary_permit": [],
        "transit_notice": [],
    }


def asked(second: System, path: str, language: str = "") -> Any:
    headers = {"accept-language": language} if language else {}
    return httpx.get(second.base_url + path, headers=headers).json()


def test_it_offers_its_own_documents_in_its_own_languages(second: System) -> None:
    offered = asked(second, "/v1/document-types/sanitary_permit")
    assert offered["labels"] == {"es": "Permiso sanitario", "en": "Sanitary permit"}
    assert asked(second, "/v1/document-types/import_title.ei")["code"] == "NOT_FOUND"


@pytest.mark.parametrize(("language", "title"), [("es", "No encontrado"), ("es-AR, en;q=0.5", "No encontrado")])
def test_problems_are_told_in_its_language(second: System, language: str, title: str) -> None:
    assert asked(second, "/v1/document-types/nothing", language)["title"] == title


def test_its_code_lists_are_its_own(second: System) -> None:
    headings = asked(second, "/v1/reference/hs?q=1701")["items"]
    assert [heading["code"] for heading in headings] == ["1701"]
    offices = asked(second, "/v1/reference/offices")["items"]
    assert {office["code"] for office in offices} == {"PTO-ALBA", "AERO-1"}
    assert asked(second, "/v1/reference/banks")["code"] == "NOT_FOUND"
