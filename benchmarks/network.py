"""How fast networks are trained; see `benchmarks.training`."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from benchmarks.paired import OURS, Comparison, interleave
from benchmarks.peers.process import ROOT, measure_floors
from service.core import TrainingConfig

MODULES = {
    OURS: "inkling",
    "PyTorch, eager, 1 thread": "pytorch",
    "JAX, scans": "jax",
    "NumPy, float64, layer by layer": "layer_by_layer",
}
FLOORS = "(floors)"
PRODUCTS = "products at peak, 1 core"
NORM_TOLERANCE = 1e-3

EPOCH: Mapping[str, Any] = {
    "model": "softmax",
    "hidden_layers": [64],
    "activation": "improved_sigmoid",
    "initialization": "xavier",
    "augmentation": "none",
    "learning_rate": 0.02,
    "learning_rate_schedule": "constant",
    "batch_size": 32,
    "epochs": 1,
    "checks_per_epoch": 1,
    "patience": None,
    "train_size": 20_000,
    "validation_size": 1_000,
}
"""The second assignment's network: an epoch with its one check."""

DIGITS: Mapping[str, Any] = {
    "model": "softmax",
    "hidden_layers": [256, 128],
    "learning_rate": 0.05,
    "batch_size": 128,
    "epochs": 20,
    "checks_per_epoch": 1,
    "patience": None,
    "train_size": 60_000,
    "validation_size": 10_000,
    "publish": "last",
}
"""The network for people's handwriting: soft augmentation, one check an epoch, on the images as they are."""


def measure_epoch(rounds: int, *, quick: bool) -> Comparison:
    """Compare one epoch of 784-64-10, every contender on one core, by the clock."""
    request = {**EPOCH, "train_size": 2_000} if quick else EPOCH
    found, measured = _measured({name: (module, request) for name, module in MODULES.items()}, rounds)
    norms = {name: runs[0]["norm"] for name, runs in found.items()}
    return Comparison(
        title=f"784-64-10, batch 32, {request['train_size']:,} images: one epoch and one check",
        unit="s",
        values={name: [run["seconds"] for run in runs] for name, runs in found.items()},
        targets={} if quick else dict(zip(list(MODULES)[1:], (5, 1.5, 3), strict=True)),
        floors={PRODUCTS: _floor_s(request, measured)},
        facts={"norms": norms, "floors": measured, "quick": quick},
    )


def measure_digits(rounds: int, *, quick: bool) -> Comparison:
    """Measure the processor time of 784-256-128-10 with augmentation; 60 s are claimed of the whole."""
    request = {**DIGITS, **({"train_size": 4_000, "validation_size": 1_000, "epochs": 2} if quick else {})}
    found, measured = _measured({OURS: (MODULES[OURS], request)}, rounds)
    floors = {PRODUCTS: _floor_s(request, measured)}
    return Comparison(
        title=f"784-256-128-10, batch 128, soft augmentation, {request['train_size']:,} images x {request['epochs']} "
        "epochs: processor time",
        unit="s",
        values={OURS: [run["processor_s"] for run in found[OURS]]},
        floors=floors if quick else {**floors, "claimed at most": 60.0},
        facts={"norms": {OURS: found[OURS][0]["norm"]}, "floors": measured, "quick": quick},
    )


def describe_norms(norms: Mapping[str, float]) -> str:
    """Return whether all contenders end with parameters of the same norm, a line each."""
    lines = []
    for name, norm in norms.items():
        same = abs(norm - norms[OURS]) <= NORM_TOLERANCE * norms[OURS]
        lines.append(f"  {name}: norm of the parameters {norm:.6f}{'' if same else '   NOT THE SAME'}")
    return "\n".join(lines)


def _measured(
    contenders: Mapping[str, tuple[str, Mapping[str, Any]]], rounds: int
) -> tuple[dict[str, list[Any]], list[dict[str, Any]]]:
    found = interleave(
        {name: lambda _, one=one: _run(*one) for name, one in contenders.items()}
        | {FLOORS: lambda _: measure_floors()},
        rounds,
    )
    return found, found.pop(FLOORS)


def _run(contender: str, request: Mapping[str, Any]) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.peers.network", contender, json.dumps(request)]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if answer.returncode:
        raise SystemExit(f"{contender} failed; `make bench` installs what it needs.\n{answer.stderr[-2000:]}")
    return json.loads(answer.stdout)


def _floor_s(request: Mapping[str, Any], measured: list[dict[str, Any]]) -> float:
    """Return the seconds of the matrix products alone at the rate of the largest ones.

    A step has three products a layer, two of the first; a check one a layer, of the images of both parts.
    """
    config = TrainingConfig.from_dict(request)
    layers = [(a + 1) * b for a, b in pairwise([784, *config.hidden_layers, 10])]
    n_seen = config.train_size // config.batch_size * config.batch_size * config.epochs
    n_checked = (config.train_size + config.validation_size) * config.epochs
    n_operations = 2 * (n_seen * (3 * sum(layers) - layers[0]) + n_checked * sum(layers))
    return n_operations / max(m["flops_per_s"]["1"] for m in measured)
