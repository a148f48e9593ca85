"""The invented country, on disk."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.packs.builders import PackFolder


@pytest.fixture
def pack_folder(tmp_path: Path) -> PackFolder:
    return PackFolder(tmp_path / "arcadia")


@pytest.fixture
def line_of(pack_folder: PackFolder) -> Callable[[str, str], int]:
    """The first line of a written file that has this text."""

    def find(name: str, text: str) -> int:
        lines = (pack_folder.root / name).read_text("utf-8").splitlines()
        return next(number for number, line in enumerate(lines, 1) if text in line)

    return find
