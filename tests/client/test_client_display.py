"""What a notebook shows."""

from __future__ import annotations

from typing import Any

import pytest

from inkling import InklingClient, Job, Picture, Record, Table
from inkling.display import html_of
from tests.web.serving import TINY


def test_tables_and_records() -> None:
    rows = Table([Record(name="a", share=0.123456), Record(name="<b>", other=[1, 2])])
    assert rows._repr_html_() == (
        "<table><tr><th>name</th><th>share</th><th>other</th></tr>"
        "<tr><td>a</td><td>0.1235</td><td></td></tr><tr><td>&lt;b&gt;</td><td></td><td>1, 2</td></tr></table>"
    )
    nested = Record(id="1", best={"loss": 0.5}, rows=[{"x": 1}])
    assert nested._repr_html_() == (
        "<table><tr><th>id</th><td>1</td></tr>"
        "<tr><th>best</th><td><table><tr><th>loss</th><td>0.5</td></tr></table></td></tr>"
        "<tr><th>rows</th><td><table><tr><th>x</th></tr><tr><td>1</td></tr></table></td></tr></table>"
    )


@pytest.mark.parametrize(
    "value", [list(range(1000)), [[0.5] * 28] * 28, [{"a": 1}] * 1000, {"a": {"b": {"c": {"d": {}}}}}]
)
def test_what_is_long_or_deep_stays_short(value: Any) -> None:
    assert len(html_of({"value": value})) < 3000


@pytest.mark.slow
def test_nouns_of_a_server(client: InklingClient) -> None:
    fields: dict[str, Any] = {name: value for name, value in TINY.items() if name != "model"}
    job = client.train(name="shown", **fields)
    assert "shown" in str(Job(client.connection, {**job.data, "metrics": {"latest": None, "best": None}})._repr_html_())
    job.wait()
    assert isinstance(job._repr_png_(), bytes) and job._repr_html_() is None
    assert "shown/1" in client.jobs()._repr_html_()
    sweep = client.train_sweep({"l2_penalty": [0.0, 0.1]}, name="shown-sweep", **fields).wait()
    assert "<th>l2_penalty</th>" in str(sweep._repr_html_()) and "shown-sweep" in repr(sweep)
    assert "shown-sweep" in client.sweeps()._repr_html_()
    prediction = client.predict([[0] * 28] * 28)
    assert "probabilities" in prediction._repr_html_()
    for table in (
        client.models(),
        client.hyperparameters(),
        client.datasets(),
        client.predict_all([[[0] * 28] * 28] * 2),
    ):
        assert table._repr_html_().startswith("<table><tr><th>")
    picture = Picture(b"\x89PNG")
    assert (picture._repr_png_(), picture._repr_svg_()) == (b"\x89PNG", None)
