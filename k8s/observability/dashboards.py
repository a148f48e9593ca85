"""Writes dashboards/*.json from dashboards.yaml; `--check` says whether they are what it would write."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
COLUMNS, WIDTH, HEIGHT = 2, 12, 8
GRAFANA_SCHEMA = 41


def dashboard(uid: str, told: Mapping[str, Any]) -> dict[str, Any]:
    chooser = {"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Prometheus"}
    return {
        "uid": f"portolan-{uid}",
        "title": told["title"],
        "tags": ["portolan"],
        "schemaVersion": GRAFANA_SCHEMA,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "templating": {"list": [chooser]},
        "panels": [panel(place, one) for place, one in enumerate(told["panels"])],
    }


def panel(place: int, told: Mapping[str, Any]) -> dict[str, Any]:
    row, column = divmod(place, COLUMNS)
    return {
        "id": place + 1,
        "type": "timeseries",
        "title": told["title"],
        "datasource": SOURCE,
        "gridPos": {"x": column * WIDTH, "y": row * HEIGHT, "w": WIDTH, "h": HEIGHT},
        "fieldConfig": {"defaults": {"unit": told["unit"], "min": 0}, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + index), "datasource": SOURCE, "expr": expression, "legendFormat": legend}
            for index, (legend, expression) in enumerate(told["series"].items())
        ],
    }


def written() -> Iterator[tuple[Path, str]]:
    for uid, told in yaml.safe_load((HERE / "dashboards.yaml").read_text("utf-8")).items():
        yield HERE / "dashboards" / f"{uid}.json", json.dumps(dashboard(uid, told), indent=1) + "\n"


def main() -> None:
    wanted = dict(written())
    if "--check" in sys.argv[1:]:
        stale = [path.name for path, text in wanted.items() if not path.exists() or path.read_text("utf-8") != text]
        sys.exit(f"not as dashboards.yaml says: {', '.join(stale)}" if stale else 0)
    for path, text in wanted.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
