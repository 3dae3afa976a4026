"""The public face of the core: adding to it, or taking from it, is a decision."""

from __future__ import annotations

from types import ModuleType

import service.core


def test_public_names() -> None:
    public = {name: value for name, value in vars(service.core).items() if not name.startswith("_")}
    modules = {name for name, value in public.items() if isinstance(value, ModuleType)}
    assert sorted(public.keys() - modules) == [
        "Attribution",
        "Augmenter",
        "BY_NAME",
        "Certainty",
        "Check",
        "CheckReport",
        "DIGITS",
        "EarlyStopping",
        "FORMULAS",
        "Floats",
        "HYPERPARAMETERS",
        "Hyperparameter",
        "IMAGE_SIDE_PX",
        "InputScaling",
        "Ints",
        "Layout",
        "MAX_LAYERS",
        "MAX_TEXT_CHARS",
        "MAX_UNITS",
        "METRICS",
        "MODELS",
        "Metric",
        "Model",
        "N_PIXELS",
        "Operation",
        "RANGE",
        "STRENGTHS",
        "Schedule",
        "StopReason",
        "Task",
        "Tensor",
        "TrainingConfig",
        "TrainingData",
        "TrainingResult",
        "TrainingState",
        "build_model",
        "completed",
        "design_matrix",
        "norm",
        "train",
        "train_stack",
        "yield_cpu",
    ]
