"""The `portolan` command: what it offers, and how its refusals look."""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from kit.bus.topics import declared as declared_topics
from kit.errors import Unavailable
from packs import read as read_pack
from rich.console import Console

from portolan_cli import country, desk, history, places, receipts, run, show, texts
from portolan_cli.client import Problem, Unreachable
from portolan_cli.demo_file import NoSuchActor
from portolan_cli.embedded.postgres import PostgresFailed
from portolan_cli.embedded.server_user import NoServerUser
from portolan_cli.embedded.service import ServiceFailed
from portolan_cli.embedded.supervisor import PortTaken
from portolan_cli.generation import MixError
from portolan_cli.golden import CaseError, coverage, load_moves
from portolan_cli.golden import load_all as golden_cases
from portolan_cli.golden import play as play_case
from portolan_cli.reconcile import databases
from portolan_cli.reconcile.run import reconcile
from portolan_cli.reference import report as reference_report
from portolan_cli.reference.book import Book
from portolan_cli.reference.run import run as run_reference
from portolan_cli.seeding.plan import SeedError
from portolan_cli.stack.failures import StackFailed

# What a person can do something about: said in one sentence, without a stack trace.
EXPECTED = (
    *(Problem, Unreachable, NoSuchActor, CaseError, SeedError, desk.NotHere, run.AlreadyRunning, country.OtherCountry),
    *(
        Unavailable,
        MixError,
        history.HistoryFailed,
        PostgresFailed,
        NoServerUser,
        ServiceFailed,
        StackFailed,
        PortTaken,
    ),
)
FAILED = 1

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Portolan, a national single window.")
pack_app = typer.Typer(no_args_is_help=True, help="Country packs.")
app.add_typer(pack_app, name="pack")
topics_app = typer.Typer(no_args_is_help=True, help="The topics of Apache Kafka.")
app.add_typer(topics_app, name="topics")

stack_app = typer.Typer(no_args_is_help=True, help="Apache Kafka, Redis and PostgreSQL on this machine.")
app.add_typer(stack_app, name="stack")

Home = Annotated[
    Path | None, typer.Option("--home", help="The folder with all state; default $PORTOLAN_HOME or .portolan")
]
Pack = Annotated[
    Path | None, typer.Option("--pack", help="The country pack; default $PORTOLAN_PACK_PATH or the workspace's")
]
Brokers = Annotated[int, typer.Option(envvar="BROKERS", help="Of Apache Kafka: 1, or 3 with every record in 3 copies")]
BaseUrl = Annotated[
    str, typer.Option("--base-url", envvar="BASE_URL", help="Default: what runs here, else demo.json's")
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on standard output, for scripts")]
As = Annotated[
    str, typer.Option("--as", help="Who acts: a client's or organisation's key, kind or agency, or client_id:secret")
]


@app.command("run")
def run_command(
    home: Home = None,
    pack: Pack = None,
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8080,
    seed: Annotated[bool, typer.Option("--seed/--no-seed", help="Bring the demo in on first start")] = True,
    profile: Annotated[
        Literal["embedded", "stack"],
        typer.Option(envvar="PROFILE", help="embedded: PostgreSQL alone; stack: Kafka and Redis too"),
    ] = "embedded",
    brokers: Brokers = 1,
) -> None:
    """Start everything on this machine and stay in front until Ctrl-C."""
    chosen, console = (places.home(home), places.pack(pack), port), Console()
    if profile == "stack":
        asyncio.run(run.run_on_stack(*chosen, console, brokers=brokers, seeds=seed))
    else:
        asyncio.run(run.run(*chosen, console, seeds=seed))


@stack_app.command("up")
def stack_up(home: Home = None, brokers: Brokers = 1) -> None:
    """Start the servers alone and stay in front until Ctrl-C or `portolan stack down`."""
    from portolan_cli.stack import in_front

    in_front.up(places.stack(places.home(home)), brokers, Console())


@stack_app.command("down")
def stack_down(home: Home = None) -> None:
    """Stop the servers that `portolan stack up` runs."""
    from portolan_cli.stack import in_front

    in_front.down(places.stack(places.home(home)))


@app.command()
def demo(
    home: Home = None,
    pack: Pack = None,
    base_url: BaseUrl = "",
    only: Annotated[str, typer.Option("--case", help="Play this case alone")] = "",
    everything: Annotated[
        bool, typer.Option("--all", help="Also golden/moves, which make every other move; say which moves were made")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Play the pack's golden cases over public HTTP; fails when one ends otherwise than expected."""
    known = desk.demo(desk.home(home), base_url)
    desk.greet(known.base_url)
    console = Console(stderr=as_json)
    results = []
    folder = country.pack_of(desk.home(home), pack)
    for case in [*golden_cases(folder), *(load_moves(folder) if everything or only else [])]:
        if only in ("", case.name):
            console.print(f"[bold]{case.name}[/] {show.title(case.title)}")
            results.append(play_case(case, known, watch=lambda result: show.step(console, result)))
            show.play(console, results[-1])
    if everything:
        show.coverage(console, coverage(read_pack(folder), results))
    if as_json:
        say_json([show.play_as_json(result) for result in results])
    if not results or not all(result.is_golden for result in results):
        raise typer.Exit(FAILED)


@app.command("history")
def history_command(
    seed: Annotated[int, typer.Option(min=0, help="The same seed and end, the same history")] = 7,
    documents: Annotated[int, typer.Option(min=1, max=20_000)] = 1_000,
    companies: Annotated[int, typer.Option(min=10, max=2_000)] = 220,
    days: Annotated[int, typer.Option(min=1, max=90)] = 14,
    until: Annotated[datetime | None, typer.Option(help="Its last moment, UTC; default: now")] = None,
    home: Home = None,
    pack: Pack = None,
    as_json: AsJson = False,
) -> None:
    """Give the demonstration a past: two weeks of documents, decisions, imputations and charges, before `run`."""
    wanted = history.Wanted(seed, documents, companies, days, until.replace(tzinfo=UTC) if until else None)
    console = Console(stderr=True)
    figures = history.live(places.home(home), places.pack(pack), wanted, console)
    if as_json:
        return say_json(figures)
    Console().print(show.history(figures), highlight=False)


@app.command("reference-run")
def reference_run(
    documents: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many are generated")] = 10_000,
    seed: Annotated[int, typer.Option(min=0, help="The same seed, the same documents")] = 7,
    home: Home = None,
    pack: Pack = None,
    base_url: BaseUrl = "",
    as_json: AsJson = False,
) -> None:
    """Send generated documents through what runs here; fails when one ends otherwise than a plain model says."""
    folder, found = places.pack(pack), desk.home(home)
    book, known = Book(folder), desk.demo(found, base_url)
    desk.greet(known.base_url)
    report = run_reference(known.base_url, found, folder, documents=documents, seed=seed)
    if as_json:
        say_json(reference_report.as_json(report, book))
    else:
        reference_report.show(Console(), report, book)
    if report.failures:
        raise typer.Exit(FAILED)


@app.command()
def submit(
    file: Annotated[Path, typer.Argument(help="The document: the whole request, or its body alone with --type")],
    document_type: Annotated[
        str, typer.Option("--type", help="The document type of a file that holds a body alone")
    ] = "",
    on_behalf_of: Annotated[str, typer.Option(help="An organisation that gave a mandate: its key, kind or id")] = "",
    key: Annotated[
        str, typer.Option("--idempotency-key", help="Default: derived from the request, so that again is the same")
    ] = "",
    by: As = "broker",
    home: Home = None,
    base_url: BaseUrl = "",
    as_json: AsJson = False,
) -> None:
    """Submit a document, print its reference and keep its receipt beside the file."""
    request = desk.request(file, document_type)
    with desk.open_desk(desk.home(home), base_url, by) as opened:
        answer = opened.submit(request, on_behalf_of, key)
    if as_json:
        return say_json(answer)
    console = Console()
    console.print(f"[bold]{answer['reference']}[/] {answer['state']} ({answer.get('state_label', '')})")
    console.print(f"receipt: {desk.keep_receipt(file, answer)}")


@app.command()
def track(
    reference: Annotated[str, typer.Argument(help="A reference or an id")],
    by: As = "broker",
    home: Home = None,
    base_url: BaseUrl = "",
    as_json: AsJson = False,
) -> None:
    """Where a document is, who holds it, and how it came there."""
    with desk.open_desk(desk.home(home), base_url, by) as opened:
        timeline = opened.timeline(reference)
    if as_json:
        return say_json(timeline)
    show.timeline(Console(), timeline)


@app.command("verify-receipt")
def verify_receipt(
    file: Annotated[Path, typer.Argument(help="A receipt, or a document with its receipt")],
    keys: Annotated[
        Path | None, typer.Option(help="Public keys (JWKS); default receipt-keys.json of the home folder")
    ] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Check a receipt with nothing running. Exit 0: valid, 1: invalid, 2: cannot tell."""
    verdict = receipts.verify_file(file, keys or desk.home(home) / "receipt-keys.json")
    if as_json:
        say_json({"outcome": verdict.outcome.name.lower(), "reason": verdict.reason, "receipt": verdict.receipt})
    else:
        style = {receipts.Outcome.VALID: "green", receipts.Outcome.INVALID: "red"}.get(verdict.outcome, "yellow")
        Console().print(f"[{style}]{verdict.outcome.name.lower()}[/]: {verdict.reason}", highlight=False)
    raise typer.Exit(int(verdict.outcome))


@pack_app.command()
def lint(
    path: Annotated[Path | None, typer.Argument(help="The pack's folder")] = None, as_json: AsJson = False
) -> None:
    """Say what is wrong with a pack, and which of the system's own texts its languages lack: file, line, message."""
    from packs.lint import lint as lint_pack

    pack = places.pack(path)
    findings = lint_pack(pack)
    if not findings:
        findings = list(texts.missing(places.workspace(), read_pack(pack).languages))
    if as_json:
        say_json([finding._asdict() for finding in findings])
    else:
        for finding in findings:
            print(f"{desk.shown_path(pack / finding.file)}:{finding.line}: {finding.message}")
        print(f"{pack.name}: {len(findings) or 'no'} finding{'' if len(findings) == 1 else 's'}")
    if findings:
        raise typer.Exit(FAILED)


@topics_app.command("apply")
def apply_topics(
    bootstrap: Annotated[str, typer.Option(envvar="PORTOLAN_KAFKA_BOOTSTRAP", help="host:port, more after commas")],
    as_json: AsJson = False,
) -> None:
    """Create the declared topics that are missing, widen the narrow ones, set retention; say what was changed."""
    # Its client is not worth its memory where nobody asks for it.
    from kit.bus.kafka.admin import apply

    changes = apply(bootstrap, declared_topics())
    if as_json:
        return say_json(changes)
    Console().print("\n".join(changes) or "as declared", highlight=False)


@app.command()
def status(home: Home = None, as_json: AsJson = False) -> None:
    """What runs here, under which process ids, and how much memory it takes."""
    described = desk.status(desk.home(home))
    if as_json:
        return say_json(described)
    Console().print(show.status(described))


@app.command("reconcile")
def reconcile_command(
    database_urls: Annotated[
        list[str] | None, typer.Option("--database-url", help="SERVICE=URL, once for each; default: what runs here")
    ] = None,
    settle: Annotated[float, typer.Option(min=0, max=3_600, help="Seconds to wait until it is quiet")] = 0,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Prove from the databases that the services agree: nothing lost, doubled or waiting. Exit 1 names what is."""
    report = reconcile(databases.urls(places.home(home), database_urls or ()), settle)
    if as_json:
        say_json(report.plain())
    else:
        show.reconciliation(Console(), report)
    if not report.is_clean:
        raise typer.Exit(FAILED)


def say_json(content: Any) -> None:
    print(json.dumps(content, ensure_ascii=False, indent=2))


def main() -> None:
    try:
        app()
    except EXPECTED as error:
        show.refusal(Console(stderr=True), error)
        sys.exit(FAILED)


if __name__ == "__main__":
    main()
