"""The files for Prometheus and Grafana: they load, and query only metrics that exist."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from service.bootstrap import Service
from service.metrics import Stages
from service.settings import Settings
from service.web.routes.operations import read_metrics


@pytest.fixture(scope="module")
def metrics(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return what Prometheus reads when everything has happened once."""
    with Service(Settings(data_dir=tmp_path_factory.mktemp("data"), executor="inline", workers=1)) as service:
        stages = Stages()
        for _ in range(4):
            stages.next()
        prediction = np.array([3]), np.full((1, 10), 0.1, np.float32)
        service.metrics.inference.succeeded("mnist-softmax", 1, prediction, stages)
        service.metrics.inference.failed("mnist-softmax", 1)
        service.metrics.request("GET", "/livez", 200, 0.001)
        return bytes(read_metrics(service).body).decode()


def promtool(*arguments: str, given: str | None = None) -> str:
    result = subprocess.run(["promtool", *arguments], input=given, capture_output=True, text=True, check=False)
    output = result.stdout + result.stderr
    assert result.returncode == 0 or given is not None, output
    return output


def names_in(expressions: list[str]) -> set[str]:
    return {name for text in expressions for name in re.findall(r"\binkling_\w+", text)}


def test_dashboard_and_alerts_ask_for_metrics_that_there_are(root: Path, metrics: str) -> None:
    there = {sample.name for family in text_string_to_metric_families(metrics) for sample in family.samples}
    dashboard = [target["expr"] for panel in panels(root) for target in panel["targets"]]
    alerts = [(root / "deploy" / "prometheus" / "alerts.yaml").read_text()]
    assert len(names_in(dashboard)) > 8
    assert names_in(dashboard) | names_in(alerts) <= there


def test_every_metric_is_explained(root: Path, metrics: str) -> None:
    page = (root / "docs" / "monitoring.md").read_text()
    for family in text_string_to_metric_families(metrics):
        assert family.name in page


def panels(root: Path) -> list[dict[str, Any]]:
    dashboard = json.loads((root / "deploy" / "grafana" / "inkling.json").read_text())
    assert dashboard["schemaVersion"] == 39
    found: list[dict[str, Any]] = dashboard["panels"]
    return found


def test_the_dashboard_is_well_formed(root: Path) -> None:
    """Grafana repairs or hides what is wrong without a word: ids once, panels within the 24 columns and apart."""
    places: set[tuple[int, int]] = set()
    for panel in panels(root):
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert max(x for x, _ in cells) < 24
        assert not places & cells
        places |= cells
        references = [target["refId"] for target in panel["targets"]]
        assert len(set(references)) == len(references)
    ids = [panel["id"] for panel in panels(root)]
    assert len(set(ids)) == len(ids)


@pytest.mark.needs("promtool")
def test_prometheus_loads_its_files(root: Path) -> None:
    output = promtool("check", "config", str(root / "deploy" / "prometheus" / "prometheus.yaml"))
    assert "8 rules found" in output


@pytest.mark.slow
@pytest.mark.needs("promtool")
def test_drift_is_noticed_and_a_quiet_day_is_not(root: Path, tmp_path: Path) -> None:
    """After a day of which a tenth is uncertain and a digit in ten a 7, an hour of half of them."""
    day, in_5_minutes = 24 * 12, {"uncertain": (10, 50), "all": (100, 100), "7": (10, 60), "1": (90, 40)}
    about = 'instance="here", model="mnist", version="1"'
    names = {
        "uncertain": f'inkling_predicted_probability_bucket{{{about}, le="0.8"}}',
        "all": f"inkling_predicted_probability_count{{{about}}}",
        **{digit: f'inkling_predicted_digits_total{{{about}, digit="{digit}"}}' for digit in "71"},
    }
    series = [
        {
            "series": name,
            "values": f"0+{in_5_minutes[key][0]}x{day} {in_5_minutes[key][0] * day}+{in_5_minutes[key][1]}x20",
        }
        for key, name in names.items()
    ]
    alerts = ("InklingUncertain", "InklingOtherDigits")
    file = tmp_path / "tests.yaml"
    tests = {
        "rule_files": [str(root / "deploy" / "prometheus" / "alerts.yaml")],
        "tests": [
            {
                "interval": "5m",
                "input_series": series,
                "promql_expr_test": [
                    {
                        "expr": f'count(ALERTS{{alertname="{alert}", alertstate="firing"}}) > bool 0 or vector(0)',
                        "eval_time": f"{5 * at}m",
                        "exp_samples": [{"labels": "{}", "value": fires}],
                    }
                    for alert in alerts
                    for at, fires in ((day, 0), (day + 18, 1))
                ],
            }
        ],
    }
    file.write_text(json.dumps(tests))
    assert "SUCCESS" in promtool("test", "rules", str(file))


@pytest.mark.needs("promtool")
def test_the_file_for_compose_differs_by_the_key_alone(root: Path) -> None:
    files = [root / "deploy" / "prometheus" / name for name in ("prometheus.yaml", "with-key.yaml")]
    plain, with_key = ([line for line in file.read_text().splitlines() if line[:1] != "#"] for file in files)
    promtool("check", "config", "--syntax-only", str(files[1]))
    assert [line for line in with_key if line not in plain] == [
        "    authorization: {credentials_file: /run/secrets/inkling.key}"
    ]


@pytest.mark.needs("promtool")
def test_prometheus_likes_the_metrics(metrics: str) -> None:
    """All but the microseconds, which are Triton's."""
    complaints = promtool("check", "metrics", given=metrics).splitlines()
    assert [line for line in complaints if "_us" not in line.partition(" ")[0]] == []


@pytest.mark.needs("promtool")
def test_the_expressions_of_the_dashboard_are_ones(root: Path, tmp_path: Path) -> None:
    expressions = [target["expr"] for panel in panels(root) for target in panel["targets"]]
    rules = [
        {"record": f"panel:{number}", "expr": expression.replace("$__rate_interval", "1m").replace("$instance", "x")}
        for number, expression in enumerate(expressions)
    ]
    file = tmp_path / "rules.yaml"
    file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    assert f"{len(rules)} rules found" in promtool("check", "rules", str(file))
