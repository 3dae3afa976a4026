"""Several data sets as one, to train on together."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from service.core import IMAGE_SIDE_PX
from service.errors import InvalidField

from .dataset import Dataset, Ingredient, LabelledImages
from .idx import Images

MAX_INGREDIENTS, MAX_WEIGHT = 8, 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixture:
    """Data sets, each with how often each of its images stands in the training part.

    The test part is that of the first, whose training images come last, once each: the last ones, which a job may hold
    out to validate on, are of the first data set too, and the first ones, to which it may limit itself, are of the
    others.
    """

    parts: Sequence[tuple[Dataset, int]]

    def check(self, *, limit_bytes: int) -> None:
        """Raise `InvalidField` unless the data sets can be trained on together."""
        (first, weight), *_ = self.parts
        if weight != 1:
            raise InvalidField(
                "The first data set is also validated on, so each of its images stands there once.",
                field="dataset",
                allowed="a weight of 1 for the first data set",
            )
        n_images = sum(weight * len(dataset.training) for dataset, weight in self.parts) + len(first.test)
        if n_images * IMAGE_SIDE_PX**2 > limit_bytes:
            allowed = f"at most {limit_bytes:,} bytes of images, each as often as its weight says"
            raise InvalidField("The data sets are too large together.", field="dataset", allowed=allowed)
        for dataset, _ in self.parts:
            if int(dataset.training.labels.max()) >= len(first.class_names):
                message = f"{dataset.name} has labels that {first.name} does not have."
                raise InvalidField(message, field="dataset", allowed=f"labels 0 to {len(first.class_names) - 1}")

    def ingredients(self) -> tuple[Ingredient, ...]:
        """Return what it is made of, as it is recorded."""
        return tuple(Ingredient(name=each.name, sha256=each.sha256, weight=weight) for each, weight in self.parts)

    def dataset(self, name: str, *, sha256: str = "") -> Dataset:
        """Return the data sets as one; its images are read on first use."""
        first, others = self.parts[0][0], self.parts[1:]
        labels = [*(np.tile(each.training.labels, weight) for each, weight in others), first.training.labels]

        def read() -> Images:
            images = [np.tile(each.training.images, (weight, 1, 1)) for each, weight in others]
            return np.concatenate([*images, first.training.images])

        return Dataset(
            name=name,
            title=" and ".join(
                f"{each.name} ({weight:,} x)" if weight > 1 else each.name for each, weight in self.parts
            ),
            source="",
            licence="",
            class_names=first.class_names,
            training=LabelledImages(np.concatenate(labels), read),
            test=first.test,
            sha256=sha256,
            made_of=self.ingredients(),
            test_sha256=first.test_sha256,
            n_added=sum(map(len, labels[:-1])),
        )
