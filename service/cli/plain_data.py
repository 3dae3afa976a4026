"""Models, data sets and the words of pictures as the plain data of the HTTP API.

Web and command line are siblings, so this says again what the routes say; a test holds the two against each other.
"""

from __future__ import annotations

from service.core import IMAGE_SIDE_PX
from service.datasets import Dataset, LabelledImages
from service.jobs import Job
from service.jobs.job import utc_text
from service.registry import AliasEntry, Manifest, ModelSummary, VersionSummary

from .backend import Json


def model_dict(summary: ModelSummary) -> Json:
    """Return a model with its versions by number."""
    return {
        "name": summary.name,
        "state": summary.state,
        "versions": list(summary.versions),
        "aliases": None if summary.aliases is None else dict(summary.aliases),
        "default": None if summary.default is None else version_dict(summary.default),
    }


def version_dict(summary: VersionSummary) -> Json:
    """Return what a listing says of a version."""
    about = manifest_dict(summary.manifest) if summary.manifest else {}
    shown = {name: about.get(name) for name in ("model", "classes", "published", "created_at", "job_id")}
    metrics = about["metrics"]["published"] if about else None
    return {"version": summary.version, "state": summary.state, **shown, "metrics": metrics}


def manifest_dict(manifest: Manifest) -> Json:
    """Return everything that is known of a version."""
    return {**manifest.to_dict(), "created_at": utc_text(manifest.created_at)}


def move_dict(entry: AliasEntry) -> Json:
    """Return one move of an alias."""
    return {**entry.to_dict(), "at": utc_text(entry.at)}


def dataset_dict(dataset: Dataset) -> Json:
    """Describe a data set."""
    return {
        "name": dataset.name,
        "title": dataset.title,
        "source": dataset.source,
        "licence": dataset.licence,
        "classes": list(dataset.classes),
        "image_shape": [IMAGE_SIDE_PX, IMAGE_SIDE_PX],
        "sha256": dataset.sha256,
        "training": _part(dataset.training),
        "test": _part(dataset.test),
    }


def chart_caption(job: Job) -> str:
    """Return what stands below the title of a job's charts."""
    config = job.config
    order = "shuffled" if config.shuffle else "in file order"
    return (
        f"{config.model} on {job.dataset}, learning rate {config.learning_rate:g}, batch size {config.batch_size}, "
        f"L2 penalty {config.l2_penalty:g}, {order}, seed {config.seed}; {job.state}"
    )


def provenance_of(manifest: Manifest) -> dict[str, str]:
    """Return what a picture of a version says about itself."""
    return {
        "model": manifest.name,
        "version": str(manifest.version),
        "weights": manifest.published,
        "weights_sha256": manifest.weights_sha256,
        "job": manifest.job_id or "",
        **{name: str(value) for name, value in manifest.config.items()},
        "dataset": manifest.dataset["name"],
        "dataset_sha256": manifest.dataset["sha256"],
    }


def _part(images: LabelledImages) -> Json:
    by_class = {str(label): number for label, number in images.count_by_class().items()}
    return {"n_images": len(images), "n_by_class": by_class}
