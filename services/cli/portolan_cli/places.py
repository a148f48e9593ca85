"""Where things are: the workspace, the folder with all state, the country pack."""

import os
from pathlib import Path

from packs import default_pack_path

HOME_VARIABLE = "PORTOLAN_HOME"
HOME_NAME = ".portolan"
STACK_NAME = "stack"
CLOCK_NAME = "clock-ahead-s"


def workspace() -> Path:
    """The checkout around the current folder, else the one this package is installed from, else the current folder."""
    starts = (Path.cwd(), Path(__file__).resolve().parent)
    found = (folder for start in starts for folder in (start, *start.parents) if is_workspace(folder))
    return next(found, Path.cwd())


def is_workspace(folder: Path) -> bool:
    return (folder / "services" / "packs").is_dir() and (folder / "pyproject.toml").is_file()


def home(chosen: Path | None = None) -> Path:
    if chosen is not None:
        return chosen.resolve()
    from_environment = os.environ.get(HOME_VARIABLE)
    return Path(from_environment).resolve() if from_environment else workspace() / HOME_NAME


def stack(home: Path) -> Path:
    """The home within it of what runs on the servers of the stack: one folder, with databases and people of its own."""
    return home / STACK_NAME


def clock_file(home: Path) -> Path:
    """By how many seconds what runs here has been moved on."""
    return home / CLOCK_NAME


def pack(chosen: Path | None = None) -> Path:
    return (chosen or default_pack_path()).resolve()
