"""The table of a run, and what of it is kept in latest.json."""

from __future__ import annotations

import os
import platform
import subprocess
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import quantiles
from typing import Any

from tests.misfortunes.checker import DOUBLED, LOST, WRONG, Finding
from tests.misfortunes.history import FAILED, OK, UNKNOWN
from tests.misfortunes.run import Outcome

FINDINGS_SHOWN_MAX = 30
COLUMNS = ("fault", "ok", "failed", "unknown", "lost", "doubled", "otherwise", "caught up s")
WIDTH = 34
OF_ALL = "(of no document)"


def rows(outcome: Outcome) -> list[dict[str, Any]]:
    """A row a fault: what was asked while it was the latest, and what of that was found wrong."""
    history = outcome.history
    asked: dict[str, Counter[str]] = {fault.name: Counter() for fault in history.faults}
    found: dict[str, Counter[str]] = {fault.name: Counter() for fault in history.faults}
    for one in history.operations:
        asked[history.fault_at(one.invoked_at)][one.first_outcome] += 1
    for finding in outcome.findings:
        found.setdefault(_place(outcome, finding), Counter())[finding.kind] += 1
    told = {fault.name: fault for fault in history.faults}
    return [
        {
            "fault": name,
            **{kind: asked.get(name, Counter())[kind] for kind in (OK, FAILED, UNKNOWN)},
            **{kind: kinds[kind] for kind in (LOST, DOUBLED, WRONG)},
            "caught_up_s": told[name].caught_up_s if name in told and name not in outcome.impossible else None,
            "note": outcome.impossible.get(name) or (told[name].trouble if name in told else ""),
        }
        for name, kinds in found.items()
    ]


def _place(outcome: Outcome, finding: Finding) -> str:
    return outcome.history.fault_at(finding.at) if finding.document else OF_ALL


def table(outcome: Outcome) -> str:
    lines = [f"{COLUMNS[0]:{WIDTH}}" + "".join(f"{name:>12}" for name in COLUMNS[1:])]
    for row in rows(outcome):
        caught_up = "-" if row["caught_up_s"] is None else f"{row['caught_up_s']:.1f}"
        figures = [row[OK], row[FAILED], row[UNKNOWN], row[LOST], row[DOUBLED], row[WRONG], caught_up]
        shown = f"{row['fault']:{WIDTH}}" + "".join(f"{figure:>12}" for figure in figures)
        lines.append(f"{shown}  {row['note']}".rstrip())
    lines += ["", *_summary(outcome)]
    lines += [f"trouble: {one}" for one in outcome.troubles]
    lines += [f"{one.kind}: document {one.document}, {one.text}"[:400] for one in outcome.findings[:FINDINGS_SHOWN_MAX]]
    return "\n".join(lines)


def _summary(outcome: Outcome) -> list[str]:
    told = latencies(outcome)
    shown = ", ".join(f"{name} {value} ms" for name, value in told.items())
    return [
        f"{outcome.documents} documents and {outcome.acts} acts in {outcome.seconds:.0f} s, "
        f"{outcome.rate:.1f} a second; submission from its intended time: {shown}",
        f"answers by status, attempts counted: {dict(outcome.statuses.most_common())}; "
        f"generator {outcome.cpu_share:.0%} of a core; {outcome.shed} not offered; {len(outcome.findings)} findings",
    ]


def latencies(outcome: Outcome) -> dict[str, float]:
    if len(outcome.latencies_ms) < 2:
        return {}
    cuts = quantiles(outcome.latencies_ms, n=1000)
    return {"p50": round(cuts[499], 1), "p99": round(cuts[989], 1), "max": round(max(outcome.latencies_ms), 1)}


def content(outcomes: Sequence[Outcome], profile: str) -> dict[str, Any]:
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}",
        "profile": profile,
        "runs": [_run(outcome) for outcome in outcomes],
    }


def _run(outcome: Outcome) -> dict[str, Any]:
    return {
        "rate_per_s": outcome.asked_rate,
        "held_per_s": round(outcome.rate, 1),
        "seconds": round(outcome.seconds),
        "documents": outcome.documents,
        "acts": outcome.acts,
        "latency_ms": latencies(outcome),
        "generator_cores": round(outcome.cpu_share, 2),
        "findings": [f"{one.kind}: {one.text}"[:300] for one in outcome.findings[:FINDINGS_SHOWN_MAX]],
        "troubles": outcome.troubles,
        "faults": rows(outcome),
    }


def _commit() -> str:
    here = Path(__file__).parent
    command = ["git", "-C", str(here), "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
