"""One home, one country."""

from pathlib import Path

import pytest
from packs.reader import PACK_PATH_VARIABLE, default_pack_path
from portolan_cli import country


def a_pack(folder: Path, name: str) -> Path:
    pack = folder / name
    pack.mkdir(exist_ok=True)
    (pack / "pack.yaml").write_text(f'name: {name}\nversion: "1"\n')
    return pack


def test_a_home_stays_in_its_country(tmp_path: Path) -> None:
    home = tmp_path / "home"
    country.claim(home, a_pack(tmp_path, "here"))
    country.claim(home, a_pack(tmp_path, "here"))
    with pytest.raises(country.OtherCountry, match=r"holds here: give there a folder of its own"):
        country.claim(home, a_pack(tmp_path, "there"))


def test_a_pack_may_move_house(tmp_path: Path) -> None:
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    elsewhere.mkdir()
    country.claim(home, a_pack(tmp_path, "here"))
    country.claim(home, a_pack(elsewhere, "here"))
    assert country.pack_of(home) == elsewhere / "here"


def test_the_cases_are_those_of_the_home_unless_somebody_chose(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PACK_PATH_VARIABLE, raising=False)
    home, here, there = tmp_path / "home", a_pack(tmp_path, "here"), a_pack(tmp_path, "there")
    assert country.pack_of(home) == default_pack_path()
    country.claim(home, here)
    assert country.pack_of(home) == here
    assert country.pack_of(home, there) == there
    monkeypatch.setenv(PACK_PATH_VARIABLE, str(there))
    assert country.pack_of(home) == there
