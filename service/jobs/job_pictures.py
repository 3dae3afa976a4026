"""Pictures of one job, of as far as it is."""

from __future__ import annotations

from typing import Literal

from service.charts import accuracy_chart, loss_chart, weights_picture

from .jobs import Jobs


def job_picture(
    jobs: Jobs,
    job_id: str,
    what: Literal["loss", "accuracy", "weights"],
    *,
    image_format: Literal["png", "svg"] = "png",
) -> bytes:
    """Draw the loss, the accuracy or the best weights, which are always PNG; raise `JobNotFound`, `NoDataYet`."""
    job, provenance = jobs.get(job_id), jobs.provenance(job_id)
    if what == "weights":
        found = jobs.weights(job_id, "best")
        about = {**provenance, "weights": "best", "step": str(found.next_step - 1)}
        return weights_picture(found.weights, labels=found.labels, provenance=about)
    draw = loss_chart if what == "loss" else accuracy_chart
    return draw(
        jobs.curves(job_id),
        title=f"{what.capitalize()}: {job.name}",
        caption=job.caption,
        image_format=image_format,
        provenance=provenance,
    )
