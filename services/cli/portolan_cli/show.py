"""How documents, timelines and plays look on a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from portolan_cli.golden import Play
from portolan_cli.golden.runner import StepResult

SECONDS = 19


def timeline(content: Mapping[str, Any]) -> Table:
    title = f"{content['reference']}  [bold]{content['state']}[/]{_holder(content.get('holder'))}"
    table = Table(title=title, title_justify="left", title_style="", box=None, padding=(0, 1))
    for heading, style in (("#", "dim"), ("at (UTC)", "dim"), ("what", ""), ("from", ""), ("to", "bold"), ("by", "")):
        table.add_column(heading, style=style, overflow="fold")
    for item in content["items"]:
        table.add_row(*_cells(item))
    return table


def _holder(holder: Mapping[str, Any] | None) -> str:
    if not holder:
        return ""
    due = f", due {_moment(holder['due_at'])}" if holder.get("due_at") else ""
    return f"  held by {escape(holder['agency'])} ({holder['step']}) since {_moment(holder['since'])}{due}"


def _cells(item: Mapping[str, Any]) -> list[str]:
    what = " ".join(str(item[name]) for name in ("kind", "event", "step") if item.get(name))
    by = " ".join(str(item[name]) for name in ("agency", "actor") if item.get(name))
    reason = f" ({item['reason_code']})" if item.get("reason_code") else ""
    cells = [str(item["seq"]), _moment(item["at"]), what + reason, item.get("from") or "", item.get("to") or "", by]
    return [escape(cell) for cell in cells]


def _moment(text: str) -> str:
    return text[:SECONDS].replace("T", " ")


def step(console: Console, result: StepResult) -> None:
    mark = "[red]✗[/]" if result.differences else "[green]✓[/]"
    expected = result.step.expect.get("state") or (result.step.expect_problem or {}).get("code", "")
    console.print(f"  {mark} {escape(result.step.description):<58} {expected:<24} [dim]{result.took_s:5.2f} s[/]")


def play(console: Console, result: Play) -> None:
    for content in result.timelines.values():
        console.print(timeline(content))
    for difference in result.differences:
        console.print(f"  [red]otherwise than expected:[/] {escape(str(difference))}")
    verdict = "[green]as expected[/]" if result.is_golden else "[red]NOT as expected[/]"
    console.print(f"  {result.case.name}: {verdict} [dim]{result.took_s:.1f} s[/]\n")


def play_as_json(result: Play) -> dict[str, Any]:
    return {
        "case": result.case.name,
        "run_id": result.run_id,
        "ok": result.is_golden,
        "took_s": round(result.took_s, 3),
        "differences": [
            {"where": found.where, "expected": found.expected, "actual": found.actual} for found in result.differences
        ],
        "documents": {
            name: {"id": document.id, "reference": document.reference} for name, document in result.documents.items()
        },
        "timelines": dict(result.timelines),
    }


def status(described: Mapping[str, Any]) -> Table:
    memory = described["memory_mb"]
    title = f"{described['base_url']}  {described['state']}  ready in {described['ready_s']} s  {described['home']}"
    table = Table(title=title, title_justify="left", caption=f"{sum(memory.values()):.0f} MB in all", box=None)
    for heading in ("process", "pid", "state", "restarts", "gRPC", "metrics", "MB"):
        table.add_column(heading)
    for name, one in {"postgres": described["postgres"], **described["services"]}.items():
        figures = (one.get(member, "") for member in ("pid", "state", "restarts", "grpc_port", "metrics_port"))
        table.add_row(name, *map(str, figures), str(memory[name]))
    return table
