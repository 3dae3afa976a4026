"""The models: one file each, or for each family, and the table that names them."""

from collections.abc import Mapping
from typing import Any

from service.core.task import Task

from .interface import INITIALIZATIONS, Attribution, Model, Operation
from .linear import LogisticRegression, SoftmaxRegression
from .network import ACTIVATIONS, Network

MODELS: dict[str, type[Model]] = {model.name: model for model in (SoftmaxRegression, LogisticRegression)}
"""Every model by its name. Hyperparameters, API, command line and documentation take their choices from here."""


def build_model(name: str, task: Task, hyperparameters: Mapping[str, Any]) -> Model:
    """Return a model of a task, with the hyperparameters of a run or of its record."""
    if hyperparameters.get("hidden_layers"):
        return Network(task, hyperparameters, MODELS[name].output)
    return MODELS[name](task, hyperparameters)
