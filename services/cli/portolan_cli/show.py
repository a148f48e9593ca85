"""How documents, timelines and plays look on a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from portolan_cli.client import Problem
from portolan_cli.embedded import run_file
from portolan_cli.golden import Coverage, Play
from portolan_cli.golden.runner import StepResult
from portolan_cli.reconcile.findings import Report

DAY, TIME = slice(0, 10), slice(11, 19)


def timeline(console: Console, content: Mapping[str, Any]) -> None:
    """Plain columns, so that a narrow terminal or a file loses nothing."""
    began = f"  [dim]{content['items'][0]['at'][DAY]} UTC[/]" if content["items"] else ""
    head = f"  {content['reference']}  [bold]{content['state']}[/]{began}{_holder(content.get('holder'))}"
    for line in (head, *map(_line, content["items"])):
        console.print(line, highlight=False, soft_wrap=True)


def _holder(holder: Mapping[str, Any] | None) -> str:
    if not holder:
        return ""
    due = f", due {_moment(holder['due_at'])}" if holder.get("due_at") else ""
    name = holder["agency"] or f"the operator, for {holder['awaited_by']},"
    return f"\n    held by {escape(name)} since {_moment(holder['since'])}{due}"


def _line(item: Mapping[str, Any]) -> str:
    kind = item["event"] if item["kind"] == "state" else item["kind"]
    what = " ".join(str(part) for part in (kind, item.get("step"), item.get("reason_code")) if part)
    by = item.get("agency") or item.get("actor") or ""
    columns = f"{escape(what):<34} [bold]{escape(item.get('to') or ''):<21}[/] {escape(by)}"
    return f"  [dim]{item['seq']:>3} {item['at'][TIME]}[/] {columns}"


def _moment(text: str) -> str:
    return f"{text[DAY]} {text[TIME]}"


def step(console: Console, result: StepResult) -> None:
    mark = "[red]✗[/]" if result.differences else "[green]✓[/]"
    expected = result.step.expect.get("state") or (result.step.expect_problem or {}).get("code", "")
    line = f"  {mark} {escape(result.step.description):<47} {expected:<21} [dim]{result.took_s:.2f}[/]"
    console.print(line, highlight=False, soft_wrap=True)


def play(console: Console, result: Play) -> None:
    for content in result.timelines.values():
        timeline(console, content)
    for difference in result.differences:
        console.print(f"  [red]otherwise than expected:[/] {escape(str(difference))}")
    verdict = "[green]as expected[/]" if result.is_golden else "[red]NOT as expected[/]"
    console.print(f"  {result.case.name}: {verdict} [dim]{result.took_s:.1f} s[/]\n", highlight=False)


def title(texts: Mapping[str, str]) -> str:
    """In the language of this program's own words, where the pack speaks it."""
    return texts.get("en") or next(iter(texts.values()), "")


def coverage(console: Console, found: Sequence[Coverage]) -> None:
    made, possible = sum(len(one.made) for one in found), sum(len(one.made) + len(one.missing) for one in found)
    console.print(f"[bold]transitions[/] that the cases made: {made} of {possible}", highlight=False)
    for one in found:
        console.print(f"  {one.document_type:<24} {one.share}", highlight=False)
        for move in one.missing:
            console.print(f"    [yellow]never made:[/] {move}", highlight=False, soft_wrap=True)


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


def history(figures: Mapping[str, Any]) -> str:
    acts = ", ".join(f"{name} {number}" for name, number in sorted(figures["acts"].items()))
    return (
        f"{figures['documents']} documents lived through in {figures['took_s']} s, "
        f"{sum(figures['refused'].values())} refused, {figures['left']} still on their way\n"
        f"{acts}\ncontent {figures['digest'][:16]}"
    )


def refusal(console: Console, error: Exception) -> None:
    console.print(f"[red]error:[/] {escape(str(error))}", highlight=False)
    for one in error.content.get("errors", ()) if isinstance(error, Problem) else ():
        where = f"{escape(one.get('pointer', ''))}  [bold]{escape(one.get('code', ''))}[/]"
        console.print(f"  {where}  {escape(one.get('message', ''))}", highlight=False, soft_wrap=True)


def status(described: Mapping[str, Any]) -> Table:
    memory = described["memory_mb"]
    title = f"{described['base_url']}  {described['state']}, ready after {described['ready_s']} s".strip()
    table = Table(title=title, title_justify="left", caption=f"{sum(memory.values()):.0f} MB in all", box=None)
    for heading in ("process", "pid", "state", "restarts", "gRPC", "metrics", "MB"):
        table.add_column(heading)
    for name, one in run_file.processes(described).items():
        figures = (one.get(member, "") for member in ("pid", "state", "restarts", "grpc_port", "metrics_port"))
        table.add_row(name, *map(str, figures), str(memory.get(name, "")))
    return table


def reconciliation(console: Console, report: Report) -> None:
    """The table of what was looked at, then each thing that is wrong, by its id."""
    table = Table("", "looked at", "wrong", box=None, pad_edge=False)
    for name, check in report.checks.items():
        table.add_row(name, str(check.looked_at), f"[red]{check.wrong}[/]" if check.wrong else "0")
    console.print(table)
    for finding in report.named:
        line = f"[red]{escape(finding.check)}[/] {escape(finding.subject)}: {escape(finding.what)}"
        console.print(line, highlight=False, soft_wrap=True)
    console.print("[green]all agree[/]" if report.is_clean else "[red]they do not agree[/]")
