"""Reports over HTTP and on the command line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner
from pydantic import TypeAdapter

from service.bootstrap import Service
from service.cli import cli
from service.reports import Report, ReportDetail
from service.web.routes.reports import ReportList
from tests.web.serving import problem_of, serving


@pytest.fixture(scope="module")
def url(service: Service) -> Iterator[str]:
    with serving(service) as url:
        yield url


@pytest.fixture(scope="module")
def client(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{url}/api/v1", timeout=60.0) as client:
        yield client


def test_a_finished_report(client: httpx.Client, finished: Report) -> None:
    ReportList.model_validate(client.get("/reports").json())
    report = client.get(f"/reports/{finished.id}").json()
    TypeAdapter(ReportDetail).validate_python(report)
    assert report["state"] == "succeeded" and report["findings"]["key_sentences"]
    sections = {section["number"]: section for section in report["sections"]}
    assert {number: each["sentences"] for number, each in sections.items() if each["sentences"]} == report["findings"][
        "answers"
    ]
    shown = {figure["name"] for section in sections.values() for figure in section["figures"]}
    assert {f"figures/{name}.png" for name in shown} <= set(report["links"])
    assert sections["5"]["table"]["head"][0] == "quantity"
    kinds = {
        "html": "text/html",
        "pdf": "application/pdf",
        "json": "application/json",
        "png": "image/png",
        "md": "text/markdown",
        "zip": "application/zip",
        "tex": "application/x-tex",
        "ipynb": "application/x-ipynb+json",
    }
    for name in (*(f"report.{form}" for form in kinds if form != "png"), "figures/3d-gap.png"):
        answer = client.get(report["links"][name].removeprefix("/api/v1"))
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith(kinds[name.rpartition(".")[2]])
        again = client.get(
            report["links"][name].removeprefix("/api/v1"), headers={"If-None-Match": answer.headers["etag"]}
        )
        assert again.status_code == 304
    archive = client.get(f"/reports/{finished.id}/report.zip")
    assert archive.headers["content-disposition"] == 'attachment; filename="hand-in.zip"'
    policy = client.get(f"/reports/{finished.id}/report.html").headers["content-security-policy"]
    assert "style-src 'sha256-" in policy and "img-src data:" in policy and "script" not in policy


def test_a_report_that_is_not_finished(client: httpx.Client) -> None:
    answer = client.post("/reports", json={"quick": True, "seed": 5, "seeds": 2, "l2_penalties": [1.0]})
    assert answer.status_code == 202
    report = answer.json()
    TypeAdapter(ReportDetail).validate_python(report)
    assert len(report["jobs"]) == 1 + 2 + 2 * 2 and report["options"]["seeds"] == 2
    assert answer.headers["location"] == f"/api/v1/reports/{report['id']}"
    for path in ("report.html", "figures/2b-loss.svg"):
        early = client.get(f"/reports/{report['id']}/{path}")
        assert (early.status_code, problem_of(early)) == (409, "no-data-yet")
    assert client.post(f"/reports/{report['id']}/cancel").status_code == 202


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"classes": [2, 2]}, "classes"),
        ({"classes": [2]}, "classes"),
        ({"quik": True}, "quik"),
        ({"seed": -1}, "seed"),
        ({"seeds": 11}, "seeds"),
        ({"title": "two\nlines"}, "title"),
        ({"authors": ["a\x1b[31mred"]}, "authors"),
        ({"group": "\0"}, "group"),
    ],
)
def test_bad_requests(client: httpx.Client, body: dict[str, object], field: str) -> None:
    answer = client.post("/reports", json=body)
    assert answer.status_code == 422
    assert field in answer.text


def test_a_missing_report_or_file(client: httpx.Client, finished: Report) -> None:
    for path in ("none", "01ARZ3NDEKTSV4RRFFQ69G5FAV", "none/report.pdf", f"{finished.id}/figures/none.png"):
        assert client.get(f"/reports/{path}").status_code == 404


@pytest.mark.slow
def test_the_notebook_trains_the_report_anew(
    url: str, service: Service, finished: Report, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each cell is run in turn, as Jupyter does, against the service of this test."""
    notebook = json.loads(service.reports.file(finished.id, "report.ipynb"))
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert len({cell["id"] for cell in notebook["cells"]}) == len(notebook["cells"])
    monkeypatch.setenv("INKLING_URL", url)
    namespace: dict[str, Any] = {}
    for cell in notebook["cells"]:
        assert set(cell) == {"id", "cell_type", "metadata", "source"} | (
            {"outputs", "execution_count"} if cell["cell_type"] == "code" else set()
        )
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), cell["id"], "exec"), namespace)
    anew = namespace["report"]
    assert anew.state == "succeeded" and anew.id != finished.id
    namespace["client"].close()
    # The same seed trains the same weights, so all sentences are the same.
    findings = service.reports.contents(finished.id).to_dict()
    assert anew.findings["answers"] == findings["answers"]
    printed = capsys.readouterr().out
    assert all(sentence in printed for sentences in findings["answers"].values() for sentence in sentences)
    figures = re.findall(r"report\.figure\('([^']+)'\)", json.dumps(notebook))
    assert figures == list(service.reports.contents(finished.id).figures)


def test_the_command_writes_the_files(url: str, finished: Report, tmp_path: Path) -> None:
    run = CliRunner().invoke(cli, ["report", "--id", finished.id, "--out", str(tmp_path / "out"), "--url", url])
    assert run.exit_code == 0, run.output
    assert "largest error" in run.output
    names = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.*")}
    assert {
        "report.html",
        "report.pdf",
        "report.md",
        "report.tex",
        "report.ipynb",
        "hand-in.zip",
        "report.json",
        "figures/2b-loss.png",
        "figures/2b-loss.svg",
    } <= names
    refused = CliRunner().invoke(cli, ["report", "--classes", "x", "--url", url])
    assert refused.exit_code == 2
