"""Golden cases: who does what and what must then be true, as data of the pack, replayed over public HTTP."""

from portolan_cli.golden.case import Case, CaseError, load, load_all, load_moves
from portolan_cli.golden.coverage import Coverage, coverage
from portolan_cli.golden.expectations import Difference
from portolan_cli.golden.runner import Play, play

__all__ = ["Case", "CaseError", "Coverage", "Difference", "Play", "coverage", "load", "load_all", "load_moves", "play"]
