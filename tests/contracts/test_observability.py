"""Alerts, dashboards and runbooks speak of what the services really say, and of all of it."""

from __future__ import annotations

import importlib
import pkgutil
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY

from tests.servers import require

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "k8s" / "observability"
RUNBOOKS = ROOT / "docs" / "operations" / "runbooks"
SERVICES = ("kit", "gateway", "identity", "intake", "routing", "billing", "notifications")
OF_POSTGRESQL = {"pg_stat_activity", "pg_stat_io", "pg_terminate_backend", "synchronous_commit", "dead_letters"}
SCRAPED = {"instance", "job", "le"}
SERIES = re.compile(r"\b(portolan_\w+)(?:\{([^}]*)\})?")
GROUPING = re.compile(r"\b(?:by|on) \(([^)]*)\)")
NOT_EXPORTED = frozenset({"_bucket", "_count", "_sum", "_total", ""})


def declared() -> dict[str, frozenset[str]]:
    """Every metric of every service, with its labels."""
    for name in SERVICES:
        package = importlib.import_module(name)
        for module in pkgutil.walk_packages(package.__path__, f"{name}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    collectors = {id(one): one for one in REGISTRY._names_to_collectors.values()}
    found: dict[str, frozenset[str]] = {}
    for one in collectors.values():
        name = str(getattr(one, "_name", ""))
        if name.startswith("portolan_"):
            found[name] = frozenset(getattr(one, "_labelnames", ()))
    return found


DECLARED = declared()
RULES: list[Mapping[str, Any]] = [
    rule for group in yaml.safe_load((FOLDER / "alerts.yaml").read_text("utf-8"))["groups"] for rule in group["rules"]
]
ALERTS = {str(rule["alert"]): rule for rule in RULES if "alert" in rule}
PANELS = [
    panel
    for board in yaml.safe_load((FOLDER / "dashboards.yaml").read_text("utf-8")).values()
    for panel in board["panels"]
]


def expressions() -> Iterator[str]:
    yield from (str(rule["expr"]) for rule in RULES)
    yield from (str(one) for panel in PANELS for one in panel["series"].values())


def metric(series: str) -> str:
    """The declared name behind an exported one: a histogram's parts and a counter's ending are not declared."""
    return next((series.removesuffix(end) for end in NOT_EXPORTED if series.removesuffix(end) in DECLARED), series)


def test_every_series_that_is_asked_for_is_told() -> None:
    asked = {metric(name) for text in expressions() for name, _ in SERIES.findall(text)}
    assert asked - set(DECLARED) == set()
    assert len(asked) > 20


def test_every_label_that_is_asked_for_is_told() -> None:
    for text in expressions():
        of_all = frozenset().union(*(DECLARED[metric(name)] for name, _ in SERIES.findall(text)), SCRAPED)
        for name, matchers in SERIES.findall(text):
            assert set(re.findall(r"(\w+)[=!]", matchers)) <= DECLARED[metric(name)] | SCRAPED, text
        for names in GROUPING.findall(text):
            assert {one.strip() for one in names.split(",") if one.strip()} <= of_all, text


def test_every_metric_is_on_a_dashboard() -> None:
    shown = {metric(name) for panel in PANELS for text in panel["series"].values() for name, _ in SERIES.findall(text)}
    assert set(DECLARED) - shown == set()


def test_dashboards_are_as_their_source_says() -> None:
    module = importlib.util.spec_from_file_location("dashboards", FOLDER / "dashboards.py")
    assert module is not None
    assert module.loader is not None
    dashboards = importlib.util.module_from_spec(module)
    module.loader.exec_module(dashboards)
    wanted = {path.name: text for path, text in dashboards.written()}
    assert {path.name: path.read_text("utf-8") for path in (FOLDER / "dashboards").glob("*.json")} == wanted


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_says_how_urgent_it_is_and_where_to_read_on(name: str) -> None:
    rule = ALERTS[name]
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert rule["annotations"]["summary"]
    page = ROOT / rule["annotations"]["runbook"]
    assert page.name == f"{name}.md"
    text = page.read_text("utf-8")
    assert all(part in text for part in ("**What it says.**", "**Who notices.**", "## Look", "## Do", "**What is safe"))


def test_there_is_no_runbook_without_an_alert() -> None:
    assert {page.stem for page in RUNBOOKS.glob("*.md")} == set(ALERTS)


def test_runbooks_name_log_lines_and_series_that_exist() -> None:
    sources = "\n".join(path.read_text("utf-8") for path in (ROOT / "services").rglob("*.py"))
    said = set(re.findall(r'"([a-z]+(?:_[a-z]+)+)"', sources)) | OF_POSTGRESQL
    for page in RUNBOOKS.glob("*.md"):
        text = page.read_text("utf-8")
        named = set(re.findall(r"`([a-z]+(?:_[a-z]+)+)`", text))
        series = {name for name in named if name.startswith("portolan_")}
        assert {metric(name) for name in series} <= set(DECLARED), page.name
        assert named - series <= said, page.name


def test_each_alert_is_tested_where_it_fires_and_where_it_does_not() -> None:
    fires: set[str] = set()
    silent: set[str] = set()
    for test in yaml.safe_load((FOLDER / "alerts_test.yaml").read_text("utf-8"))["tests"]:
        for one in test["alert_rule_test"]:
            (fires if one["exp_alerts"] else silent).add(one["alertname"])
    assert fires == silent == set(ALERTS)


@pytest.mark.parametrize("command", [("check", "rules", "alerts.yaml"), ("test", "rules", "alerts_test.yaml")])
def test_promtool_agrees(command: tuple[str, ...]) -> None:
    require("promtool")
    done = subprocess.run(["promtool", *command], cwd=FOLDER, capture_output=True, text=True, timeout=240)  # noqa: S607
    assert done.returncode == 0, done.stdout + done.stderr
