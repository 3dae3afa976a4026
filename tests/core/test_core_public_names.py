"""The public face of the core: adding to it, or taking from it, is a decision."""

from __future__ import annotations

from types import ModuleType

import service.core


def test_public_names() -> None:
    public = {name: value for name, value in vars(service.core).items() if not name.startswith("_")}
    modules = {name for name, value in public.items() if isinstance(value, ModuleType)}
    assert sorted(public.keys() - modules) == [
        "Check",
        "CheckReport",
        "EarlyStopping",
        "FORMULAS",
        "Floats",
        "HYPERPARAMETERS",
        "Hyperparameter",
        "IMAGE_SIDE_PX",
        "Ints",
        "MODELS",
        "N_FEATURES",
        "N_PIXELS",
        "Schedule",
        "StopReason",
        "TrainingConfig",
        "TrainingData",
        "TrainingResult",
        "TrainingState",
        "design_matrix",
        "equivalent_squared_penalty",
        "give_way",
        "norm",
        "output_names",
        "probabilities",
        "train",
        "train_stack",
    ]
