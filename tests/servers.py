"""One home of the rule: without its server a test is skipped by name, or fails where PORTOLAN_REQUIRE_SERVERS=1."""

import os
import shutil
from collections.abc import Callable, Mapping

import pytest
from portolan_cli.stack import jars, redis

REQUIRE_VARIABLE = "PORTOLAN_REQUIRE_SERVERS"
# Read here, since conftest.py takes away what the shell sets.
ARE_REQUIRED = os.environ.get(REQUIRE_VARIABLE, "") not in ("", "0")

WITHIN_REACH: Mapping[str, Callable[[], bool]] = {
    "kafka": jars.is_within_reach,
    "redis": lambda: shutil.which(redis.PROGRAM) is not None,
    "promtool": lambda: shutil.which("promtool") is not None,
}
NEEDS = {
    "kafka": "Java 17 and Maven, or jars fetched before",
    "redis": f"{redis.PROGRAM} on PATH",
    "promtool": "of Debian's package prometheus",
}


def require(*names: str) -> None:
    missing = [name for name in names if not WITHIN_REACH[name]()]
    if not missing:
        return
    reason = "; ".join(f"no {name} here ({NEEDS[name]})" for name in missing)
    if ARE_REQUIRED:
        pytest.fail(f"{reason}, and {REQUIRE_VARIABLE} is set")
    pytest.skip(reason)
