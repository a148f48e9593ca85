"""What a reference run found, for people and for scripts."""

from __future__ import annotations

from collections import Counter
from typing import Any

from rich.console import Console
from rich.markup import escape

from portolan_cli.reference.book import Book
from portolan_cli.reference.run import Report

FAILURES_SHOWN_MAX = 20


def show(console: Console, report: Report, book: Book) -> None:
    tally, count = report.tally, report.tally.documents.total()
    rate = count / report.took_s
    console.print(f"[bold]{count}[/] documents of seed {report.seed} in {report.took_s:.0f} s, {rate:.0f}/s,")
    console.print(
        f"{report.calls} calls, {tally.acts.total()} acts, {tally.repeated} submitted twice, {tally.notices} notices;"
    )
    console.print(f"refused for: {_listed(tally.violations) or 'nothing'}", highlight=False)
    for document_type, number in sorted(tally.documents.items()):
        ends = Counter({state: found for (of, state), found in tally.states.items() if of == document_type})
        console.print(f"  {document_type:<18} {number:>6}   {_listed(ends)}", highlight=False, soft_wrap=True)
    _coverage(console, report, book)
    for failure in report.failures[:FAILURES_SHOWN_MAX]:
        document = failure.document
        console.print(f"[red]seed {document.seed} number {document.number}[/] {document.type} {failure.id}")
        for difference in failure.differences:
            console.print(f"    {escape(difference[:2000])}", highlight=False, soft_wrap=True)
    verdict = "[red]not as the model says[/]" if report.failures else "[green]all as the model says[/]"
    console.print(f"{count - len(report.failures)} of {count}: {verdict}")


def _coverage(console: Console, report: Report, book: Book) -> None:
    unmet, moves = report.unmet_rules(book), report.unmet_moves(book)
    console.print(f"  rules met: {len(book.rules) - len(unmet)} of {len(book.rules)}", end="")
    console.print(f"; [yellow]never: {', '.join(unmet)}[/]" if unmet else "", highlight=False, soft_wrap=True)
    console.print(f"  transitions made: {len(report.tally.moves)}, never: {len(moves)}")
    for move in moves:
        console.print(f"    [dim]never made: {move}[/]", highlight=False, soft_wrap=True)


def _listed(counted: Counter[str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in counted.most_common())


def as_json(report: Report, book: Book) -> dict[str, Any]:
    tally = report.tally
    return {
        "seed": report.seed,
        "ok": not report.failures,
        "took_s": round(report.took_s, 1),
        "calls": report.calls,
        "documents": dict(tally.documents),
        "faults": dict(tally.faults),
        "violations": dict(tally.violations),
        "states": {f"{of} {state}": number for (of, state), number in sorted(tally.states.items())},
        "acts": dict(tally.acts),
        "rules": dict(tally.rules),
        "unmet_rules": report.unmet_rules(book),
        "unmet_moves": report.unmet_moves(book),
        "failures": [
            {"number": one.document.number, "type": one.document.type, "id": one.id, "differences": one.differences}
            for one in report.failures
        ],
    }
