"""`portolan reconcile` on a lived past: it agrees with itself, and whatever is then broken in it is named by its id."""
# ruff: noqa: S608 - the ids are those of the test's own databases

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from portolan_cli.embedded import plan
from portolan_cli.embedded.postgres import EmbeddedPostgres
from portolan_cli.reconcile import databases
from portolan_cli.reconcile.findings import NAMED_MAX, Report
from portolan_cli.reconcile.run import reconcile

DOCUMENTS = 40
LONG_AGO = "2020-01-01"


@dataclass(frozen=True)
class Past:
    server: EmbeddedPostgres
    urls: Mapping[str, str]

    def broken(self, service: str, *statements: str) -> dict[str, str]:
        """The same databases, one of them a copy in which nothing keeps anybody from writing anything."""
        name = f"broken_{service}"
        with psycopg.connect(self.server.url(), autocommit=True) as connection:
            connection.execute(f"drop database if exists {name}".encode())
            connection.execute(f"create database {name} template {plan.database_name(service)}".encode())
        url = self.server.url(name)
        with psycopg.connect(url) as connection:
            for statement in statements:
                connection.execute(statement.encode())
        return {**self.urls, service: url}

    def one(self, service: str, query: str) -> str:
        with psycopg.connect(self.urls[service]) as connection:
            row = connection.execute(query.encode()).fetchone()
        assert row is not None, query
        return str(row[0])


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Past]:
    home = tmp_path_factory.mktemp("reconcile")
    home.parent.chmod(0o755)
    home.chmod(0o755)
    command = [sys.executable, "-m", "portolan_cli", "history", "--home", str(home), "--seed", "11"]
    done = subprocess.run(
        [*command, "--documents", str(DOCUMENTS), "--companies", "20"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    server = EmbeddedPostgres(home)
    server.start()
    urls = {name: server.url(plan.database_name(name)) for name in databases.SERVICES}
    with psycopg.connect(urls["billing"]) as connection:
        kinds = ("portolan.intake.v1.DocumentSubmitted", "portolan.intake.v1.DocumentDecided")
        for kind in kinds:
            connection.execute(
                "insert into hearing values ('billing', %s, %s)"
                " on conflict (consumer, type) do update set since = excluded.since",
                [kind, LONG_AGO],
            )
    yield Past(server, urls)
    server.stop()


def named(report: Report, check: str) -> str:
    assert not report.is_clean
    assert [name for name, one in report.checks.items() if one.wrong], "something is wrong"
    return " ".join(f"{one.subject}: {one.what}" for one in report.checks[check].named)


def only(report: Report, *checks: str) -> None:
    assert {name for name, one in report.checks.items() if one.wrong} == set(checks)


@pytest.mark.timeout(600)
def test_a_past_agrees_with_itself_and_everything_of_it_was_looked_at(past: Past) -> None:
    report = reconcile(past.urls, 0)
    assert report.is_clean, report.named
    looked_at = {name: one.looked_at for name, one in report.checks.items()}
    assert looked_at["one case"] > NAMED_MAX, "of the 40 some are refused"
    assert not [name for name in looked_at if looked_at[name] == 0 and not name.startswith("no")], looked_at


FREE = "set session_replication_role = replica"


def test_a_document_without_a_case_is_named(past: Past) -> None:
    lost = past.one("routing", "select document_id from cases order by id limit 1")
    urls = past.broken("routing", FREE, f"delete from cases where document_id = '{lost}'")
    report = reconcile(urls, 0)
    assert f"{lost}: has no case" in named(report, "one case")
    only(report, "one case", "decisions")


def test_a_case_twice_is_named(past: Past) -> None:
    doubled = past.one("routing", "select document_id from cases order by id limit 1")
    urls = past.broken(
        "routing",
        "alter table cases drop constraint cases_document_id_key",
        f"create temp table again as select * from cases where document_id = '{doubled}'",
        "update again set id = 'the-double'",
        "insert into cases select * from again",
    )
    assert f"{doubled}: has 2 cases" in named(reconcile(urls, 0), "one case")


def test_a_case_of_no_document_is_named(past: Past) -> None:
    case = past.one("routing", "select id from cases order by id limit 1")
    urls = past.broken("routing", f"update cases set document_id = 'ghost' where id = '{case}'")
    report = reconcile(urls, 0)
    assert f"ghost: case {case} is of no document" in named(report, "one case")


@pytest.mark.parametrize("is_open", [True, False])
def test_what_routing_and_intake_decided_otherwise_is_named(past: Past, is_open: bool) -> None:
    task = past.one("intake", f"select task_id from document_tasks where is_open <> {is_open} order by 1 limit 1")
    urls = past.broken("intake", f"update document_tasks set is_open = {is_open} where task_id = '{task}'")
    report = reconcile(urls, 0)
    assert f"task {task} is" in named(report, "decisions")
    only(report, "decisions")


def test_a_task_that_intake_never_heard_of_is_named(past: Past) -> None:
    task = past.one("intake", "select task_id from document_tasks order by 1 limit 1")
    urls = past.broken("intake", f"delete from document_tasks where task_id = '{task}'")
    assert f"task {task} (" in named(reconcile(urls, 0), "decisions")


UNGUARDED = ("alter table charges disable trigger all", "alter table entries disable trigger all", FREE)


def test_a_charge_that_is_owed_and_missing_is_named(past: Past) -> None:
    charge = past.one("billing", "select id from charges order by id limit 1")
    document = past.one("billing", f"select document_id from charges where id = '{charge}'")
    urls = past.broken("billing", *UNGUARDED, f"delete from charges where id = '{charge}'")
    report = reconcile(urls, 0)
    assert "is owed and not charged" in named(report, "charges")
    assert document in named(report, "charges")
    assert "journal is of no charge" in named(report, "ledger")


def test_a_charge_twice_is_named(past: Past) -> None:
    charge = past.one("billing", "select id from charges order by id limit 1")
    urls = past.broken(
        "billing",
        *UNGUARDED,
        "alter table charges drop constraint one_charge_per_milestone",
        f"create temp table again as select * from charges where id = '{charge}'",
        "update again set id = 'the-double'",
        "insert into charges select * from again",
    )
    report = reconcile(urls, 0)
    assert "is charged 2 times" in named(report, "charges")
    assert "the-double: charge is in no journal" in named(report, "ledger")


def test_a_charge_of_no_document_is_named(past: Past) -> None:
    charge = past.one("billing", "select id from charges order by id limit 1")
    urls = past.broken("billing", *UNGUARDED, f"update charges set document_id = 'ghost' where id = '{charge}'")
    report = reconcile(urls, 0)
    assert f"ghost: charge {charge} is of no document" in named(report, "charges")


def test_a_charge_that_nobody_owes_and_a_wrong_amount_are_named(past: Past) -> None:
    charge = past.one("billing", "select id from charges order by id limit 1")
    where = f"where id = '{charge}'"
    urls = past.broken("billing", *UNGUARDED, f"update charges set milestone = 'NEVER_REACHED' {where}")
    assert f"charge {charge}: nothing is owed" in named(reconcile(urls, 0), "charges")
    more = f"update charges set net_minor = net_minor + 1, gross_minor = gross_minor + 1 {where}"
    assert "is charged as" in named(reconcile(past.broken("billing", *UNGUARDED, more), 0), "charges")


def test_a_ledger_that_does_not_add_up_is_named(past: Past) -> None:
    journal = past.one("billing", "select journal_id from entries order by 1 limit 1")
    change = f"update entries set amount_minor = amount_minor + 7 where journal_id = '{journal}' and line = 1"
    report = reconcile(past.broken("billing", *UNGUARDED, change), 0)
    assert f"{journal}: journal is off by 7" in named(report, "ledger")
    assert "all: the ledger is off by 7" in named(report, "ledger")
    only(report, "ledger")


@pytest.mark.parametrize(
    ("column", "what"),
    [("consumed", "differs from its imputations"), ("authorised", "differs from its entries"), ("over", "taken of")],
)
def test_a_title_that_gives_more_than_it_has_is_named(past: Past, column: str, what: str) -> None:
    title = past.one("intake", "select document_id from title_lines order by 1 limit 1")
    change = "consumed = authorised * 3" if column == "over" else f"{column} = {column} + 0.5"
    urls = past.broken(
        "intake",
        FREE,
        "alter table title_lines drop constraint never_over_authorised",
        f"update title_lines set {change} where document_id = '{title}' and line = 1",
    )
    report = reconcile(urls, 0)
    assert title in named(report, "titles")
    assert what in named(report, "titles")
    only(report, "titles")


def test_a_letter_twice_is_named(past: Past) -> None:
    first = past.one("notifications", "select id from deliveries order by id limit 1")
    event = past.one("notifications", f"select event_id from deliveries where id = '{first}'")
    urls = past.broken(
        "notifications",
        "alter table deliveries drop constraint one_delivery_each",
        f"create temp table again as select * from deliveries where id = '{first}'",
        "update again set id = 'the-double'",
        "insert into deliveries select * from again",
    )
    report = reconcile(urls, 0)
    assert f"2 deliveries of event {event}" in named(report, "told once")
    only(report, "told once")


def test_a_document_that_somebody_did_not_hear_of_is_named(past: Past) -> None:
    document = past.one("notifications", "select document_id from documents order by 1 limit 1")
    unheard = past.broken("notifications", FREE, f"delete from documents where document_id = '{document}'")
    assert f"{document}: notifications has not heard of it" in named(reconcile(unheard, 0), "known to all")
    waiting = past.broken("notifications", f"update documents set reference = null where document_id = '{document}'")
    assert f"{document}: notifications waits" in named(reconcile(waiting, 0), "known to all")
    lost = past.broken("intake", FREE, f"delete from documents where document_id = '{document}'")
    report = reconcile(lost, 0)
    assert f"{document}: billing knows a document that intake does not" in named(report, "known to all")
    assert f"{document}: notifications knows" in named(report, "known to all")


def test_an_event_that_was_published_and_not_heard_is_named(past: Past) -> None:
    event = past.one("intake", "select event_id from outbox where type like '%DocumentSubmitted' order by 1 limit 1")
    urls = past.broken("billing", f"delete from inbox where consumer = 'billing' and event_id = '{event}'")
    report = reconcile(urls, 0)
    assert f"{event}: billing has not heard portolan.intake.v1.DocumentSubmitted of intake" in named(
        report, "heard by all"
    )
    only(report, "heard by all")


@pytest.mark.parametrize("service", databases.SERVICES)
def test_what_is_not_published_and_what_is_dead_is_named(past: Past, service: str) -> None:
    urls = past.broken(
        service,
        "insert into outbox (event_id, topic, key, type, payload, traceparent, created_at)"
        " values ('0198c000-0000-7000-8000-000000000001', 't', 'k', 'a.Fact', '', '', now())",
        "insert into dead_letters (consumer, event_id, topic, key, type, payload, traceparent, reason)"
        " values ('c', '0198c000-0000-7000-8000-000000000002', 't', 'k', 'another.Fact', '', '', 'unreadable')",
    )
    report = reconcile(urls, 0)
    assert "0198c000-0000-7000-8000-000000000001" in named(report, "all published")
    assert "another.Fact: unreadable" in named(report, "no dead letters")
    only(report, "all published", "no dead letters")


def test_what_waits_for_a_submission_is_named(past: Past) -> None:
    document = past.one("notifications", "select document_id from documents order by 1 limit 1")
    urls = past.broken(
        "notifications",
        "insert into waiting_events values"
        f" ('0198c000-0000-7000-8000-000000000003', '{document}', 'a.Fact', '{{}}', now())",
    )
    assert f"a.Fact waits for the submission of {document}" in named(reconcile(urls, 0), "nothing waits")


def test_of_many_that_are_wrong_the_first_are_named_and_all_are_counted(past: Past) -> None:
    urls = past.broken("notifications", FREE, "delete from documents", "update outbox set published_at = null")
    report = reconcile(urls, 0)
    check = report.checks["known to all"]
    assert check.wrong > NAMED_MAX
    assert len(check.named) == NAMED_MAX


def test_the_command_exits_by_what_it_found_and_says_it_for_scripts(past: Past) -> None:
    lost = past.one("routing", "select document_id from cases order by id limit 1")
    broken = past.broken("routing", FREE, f"delete from cases where document_id = '{lost}'")
    for urls, code in ((past.urls, 0), (broken, 1)):
        given = [part for name, url in urls.items() for part in ("--database-url", f"{name}={url}")]
        command = [sys.executable, "-m", "portolan_cli", "reconcile", "--settle", "1", *given, "--json"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stderr
        assert json.loads(done.stdout)["agrees"] is (code == 0)
    assert lost in done.stdout


def test_without_anything_running_it_says_what_it_wants(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "portolan_cli", "reconcile", "--home", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "--database-url" in done.stderr
