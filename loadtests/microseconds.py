"""Where the microseconds go: CPU per document by process, by kind of work and by statement.

It counts CPU, not time, so that a busy machine tells the same. Documents come in two manners: as fast as the
connections go (batches are full), and at a steady rate (they are small). And what the system burns with nothing to do.

    python loadtests/microseconds.py [DOCUMENTS] [--rate PER_S] [--profile]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
import rig
import statements
from rig import Running, Source

DOCUMENTS, CONNECTIONS, RATE_PER_S = 1_500, 32, 50.0
WARM_DOCUMENTS, SETTLE_S, IDLE_S = 200, 2.0, 5.0
SAMPLES_S_MAX = 10.0
STATEMENTS_SHOWN = 25
RESULTS = Path(__file__).parent / "results"
SAMPLER = Path(__file__).parent / "sampler"

# The first of these files met from the outside says which kind of process a stack belongs to.
KINDS = {
    "kit/consumer.py": "consumer",
    "kit/relay.py": "relay",
    "kit/grpc.py": "api",
    "kit/auth.py": "api",
    "api/stream.py": "api",
    "actions/register.py": "api",
    "actions/following.py": "api",
    "actions/accessing.py": "api",
    "actions/sending.py": "sender",
    "actions/gathering.py": "sender",
    "actions/posting.py": "poster",
    "actions/watching.py": "clocks",
}


def spent_on(system: Running, source: Source, count: int, rate_per_s: float) -> dict[str, Any]:
    """CPU microseconds a document, until everything that follows from it is there."""
    bodies, since = source.bodies(count), rig.now(system)
    statements.forget(system.maintenance_url)
    loop = rig.loop_us()
    before, own, began = rig.cpu_seconds(system), time.process_time(), time.perf_counter()
    asyncio.run(rig.submit_all(system, source.token, bodies, CONNECTIONS, rate_per_s))
    own = time.process_time() - own
    found = rig.drained(system, since, rig.expected(bodies))
    took, after = time.perf_counter() - began, rig.cpu_seconds(system)
    cpu = {name: round((after[name] - before.get(name, 0.0)) / count * 1e6) for name in after}
    asked = statements.spent(system.maintenance_url)
    return {
        "documents": count,
        "seconds": round(took, 1),
        "loop_us": round((loop + rig.loop_us()) / 2),
        "cpu_us_per_document": cpu,
        "total_us": sum(cpu.values()),
        "generator_us": round(own / count * 1e6),
        "statements_per_document": round(sum(one.calls for one in asked) / count, 1),
        "dearest": [_line(one, count) for one in asked[:STATEMENTS_SHOWN]],
        "effects": found,
    }


def _line(one: statements.Statement, count: int) -> str:
    each = f"{one.ms / count * 1000:7.0f} us {one.calls / count:7.2f} calls {one.rows / count:7.1f} rows"
    return f"{each}  {one.database.removeprefix('portolan_'):<13} {one.text[: statements.TEXT_CHARACTERS]}"


def idle(system: Running) -> dict[str, int]:
    """CPU microseconds a second with nothing to do."""
    before, began = rig.cpu_seconds(system), time.perf_counter()
    time.sleep(IDLE_S)
    took, after = time.perf_counter() - began, rig.cpu_seconds(system)
    return {name: round((after[name] - before.get(name, 0.0)) / took * 1e6) for name in after}


def sampled(system: Running) -> None:
    """Begins or ends sampling in every service."""
    for one in system.content["services"].values():
        os.kill(one["pid"], signal.SIGUSR1)


def stacks(system: Running, folder: Path) -> dict[str, Counter[str]]:
    """What was sampled, by service; kept beside the results in files that flame graph tools read."""
    found = {}
    for name, one in system.content["services"].items():
        written = folder / f"{one['pid']}.stacks"
        limit = time.monotonic() + SAMPLES_S_MAX
        while not written.exists():
            assert time.monotonic() < limit, f"{name} wrote no samples"
            time.sleep(0.05)
        lines = (line.rpartition(" ") for line in written.read_text().splitlines())
        found[name] = Counter({stack: int(number) for stack, _, number in lines})
        (RESULTS / f"{name}.stacks").write_text(written.read_text())
    return found


def kinds(of: Mapping[str, Counter[str]], cpu: Mapping[str, int]) -> dict[str, dict[str, int]]:
    """The service's microseconds a document, shared among its kinds by their samples."""
    shared: dict[str, dict[str, int]] = {}
    for name, counted in of.items():
        by_kind: Counter[str] = Counter()
        for stack, number in counted.items():
            by_kind[_kind(stack)] += number
        whole = by_kind.total() or 1
        shared[name] = {kind: round(cpu[name] * number / whole) for kind, number in by_kind.most_common()}
    return shared


def _kind(stack: str) -> str:
    files = (frame.partition(":")[0] for frame in stack.split(";"))
    return next((KINDS[file] for file in files if file in KINDS), "event loop and threads")


def measure(system: Running, asked: argparse.Namespace, folder: Path) -> dict[str, Any]:
    source = Source.of(system)
    warm, since = source.bodies(WARM_DOCUMENTS), rig.now(system)
    asyncio.run(rig.submit_all(system, source.token, warm, CONNECTIONS))
    rig.drained(system, since, rig.expected(warm))
    time.sleep(SETTLE_S)
    result: dict[str, Any] = {"idle_us_per_s": idle(system)}
    if asked.profile:
        sampled(system)
    result["as fast as it goes"] = spent_on(system, source, asked.documents, 0.0)
    if asked.profile:
        sampled(system)
        cpu = result["as fast as it goes"]["cpu_us_per_document"]
        result["kinds_us_per_document"] = kinds(stacks(system, folder), cpu)
    if asked.rate:
        result[f"at {asked.rate:g} a second"] = spent_on(system, source, asked.documents // 2, asked.rate)
    return result


def shown(result: Mapping[str, Any]) -> str:
    manners = [name for name, value in result.items() if "cpu_us_per_document" in value]
    rows: Sequence[str] = list(result["idle_us_per_s"])
    lines = [f"{'CPU, microseconds':<24}" + "".join(f"{name:>24}" for name in ("idle, a second", *manners))]
    for row in rows:
        values = [result["idle_us_per_s"][row], *(result[name]["cpu_us_per_document"].get(row, 0) for name in manners)]
        lines.append(f"{row:<24}" + "".join(f"{value:>24}" for value in values))
    totals = [sum(result["idle_us_per_s"].values()), *(result[name]["total_us"] for name in manners)]
    lines.append(f"{'total':<24}" + "".join(f"{value:>24}" for value in totals))
    for name, by_kind in result.get("kinds_us_per_document", {}).items():
        lines.append(f"{name}: " + ", ".join(f"{kind} {value}" for kind, value in by_kind.items()))
    for name in manners:
        one = result[name]
        lines += ["", f"{name}: {one['statements_per_document']} statements a document, {one['seconds']} s in all"]
        lines += [f"a million turns of a loop took {one['loop_us']} us"]
        lines += one["dearest"]
    return "\n".join(lines)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("documents", type=int, nargs="?", default=DOCUMENTS)
    arguments.add_argument("--rate", type=float, default=RATE_PER_S, help="a second; 0 leaves that manner out")
    arguments.add_argument("--profile", action="store_true", help="sample the stacks too, which costs a little itself")
    asked = arguments.parse_args()
    with rig.fresh_home() as home:
        statements.enable(home)
        folder = home / "samples"
        folder.mkdir()
        sampling = {"PYTHONPATH": str(SAMPLER), "PORTOLAN_SAMPLES": str(folder)} if asked.profile else {}
        with rig.running(home, sampling) as system:
            result = measure(system, asked, folder)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "microseconds.json").write_text(json.dumps(result, indent=2) + "\n")
    print(shown(result))


if __name__ == "__main__":
    main()
