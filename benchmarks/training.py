"""How fast Inkling trains, beside its peers and beside what the machine could do at most.

    python -m benchmarks.training single|sweep|growth|network|digits [--rounds N] [--quick]
        [--json FILE] [--picture FILE]

- ``single``: the report's softmax run, against plain NumPy, PyTorch and JAX, and against two floors.
- ``sweep``: 16 penalties at once, against plain NumPy one by one and stacked, and JAX's vmap; in seconds a member.
  The student's loop trains some of the members, and its time is scaled to the steps of them all.
- ``growth``: how the time grows with training images, members, epochs and workers.
- ``network``: an epoch of 784-64-10, against PyTorch, JAX and the course's way in float64, all on one core.
- ``digits``: 784-256-128-10 on 60,000 augmented images for 20 epochs, in processor time.

Each measurement is a process of its own. Reading and scaling the images, drawing the order of the batches for the
peers and compiling (JAX; PyTorch gets one step and one check to warm up) come before the clock starts. All contenders
see the same images in the same order, check at the same steps and stop by the same rule; what they find is compared.
Peers use as many threads as they like; PyTorch two. Inkling runs as in its worker: BLAS on one thread, and one more
thread for the checks.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.growth import measure_growth
from benchmarks.network import describe_norms, measure_digits, measure_epoch
from benchmarks.paired import OURS, Comparison, interleave, warn_if_busy, write
from benchmarks.peers.process import measure_floors, train_in_processes
from benchmarks.peers.task import Task

FLOORS = "(floors)"
LOSS_TOLERANCE = 1e-5
STUDENT_SHARE = 8
"""The student's loop trains every eighth member of the sweep, others in each round: all would take minutes."""


def single(rounds: int, *, quick: bool) -> Comparison:
    """Compare one softmax run."""
    task = Task(n_train=4000, n_validation=2000, epochs=5) if quick else Task()
    modules = {
        OURS: "inkling",
        "JAX, jit": "jax_scan",
        "JAX, jit, class-major": "jax_class_major",
        "NumPy, float32": "student",
        "PyTorch, 2 threads": "pytorch",
    }
    found = interleave(
        {name: lambda _, module=module: train_in_processes(module, task) for name, module in modules.items()}
        | {FLOORS: lambda _: measure_floors()},
        rounds,
    )
    measured = found.pop(FLOORS)
    ours = found[OURS][0]["curves"]
    agreements = {name: agreement(task, ours, runs[0]["curves"]) for name, runs in found.items() if name != OURS}
    (run,) = ours
    n_checked = task.n_train + task.n_validation
    n_products = 2 * run["n_steps"] * task.schedule.batch_size + len(run["checks"]) * n_checked
    floors = {}
    for threads, cores in (("all", "all cores"), ("1", "1 core")):
        read_s = min(m["read_s"][threads] for m in measured) * n_checked / 30_000
        peak = max(m["flops_per_s"][threads] for m in measured)
        floors[f"data read once a check, {cores}"] = read_s * len(run["checks"])
        floors[f"arithmetic at peak, {cores}"] = 2 * 785 * 10 * n_products / peak
    return Comparison(
        title=f"Softmax on {task.n_train:,} + {task.n_validation:,} images: {run['n_steps']:,} steps, "
        f"{len(run['checks'])} checks",
        unit="s",
        values={name: [answer["seconds"] for answer in answers] for name, answers in found.items()},
        targets={} if quick else {"PyTorch, 2 threads": 3, "JAX, jit": 1.7},
        floors=floors,
        facts={"agreement": agreements, "floors": measured, "n_steps": run["n_steps"], "quick": quick},
    )


def sweep(rounds: int, *, quick: bool) -> Comparison:
    """Compare a sweep of l2 penalties, in seconds a member."""
    whole = Task(l2=(0.0, *np.geomspace(1e-5, 1, 3 if quick else 15).tolist()))
    task = replace(whole, n_train=4000, n_validation=2000, epochs=5) if quick else whole
    n_members = len(task.l2)

    def one_by_one(number: int) -> dict[str, Any]:
        return train_in_processes(
            "student", replace(task, l2=task.l2[number % STUDENT_SHARE :: STUDENT_SHARE], dtype="float64")
        )

    modules = {
        OURS: "inkling",
        "JAX, vmap": "jax_scan",
        "NumPy, float32, stacked": "stacked",
    }
    student = "NumPy, float64, one by one"
    found = interleave(
        {name: lambda _, module=module: train_in_processes(module, task) for name, module in modules.items()}
        | {student: one_by_one},
        rounds,
    )
    ours = found[OURS][0]["curves"]
    values, agreements = {}, {}
    for name in modules:
        values[name] = [answer["seconds"] / n_members for answer in found[name]]
        agreements[name] = agreement(task, ours, found[name][0]["curves"])
    # Members stop at different steps: the student's time is that of a step, for as many steps as the sweep takes.
    mean_steps = statistics.mean(run["n_steps"] for run in ours)
    values[student] = [
        mean_steps * answer["seconds"] / sum(run["n_steps"] for run in answer["curves"]) for answer in found[student]
    ]
    agreements[student] = agreement(task, ours[::STUDENT_SHARE], found[student][0]["curves"])
    del agreements[OURS]
    return Comparison(
        title=f"Sweep of {n_members} penalties on {task.n_train:,} + {task.n_validation:,} images: time a member",
        unit="s",
        values=values,
        targets={} if quick else {student: 8, "JAX, vmap": 3},
        facts={
            "agreement": agreements,
            "l2": task.l2,
            "n_steps": [run["n_steps"] for run in ours],
            "student_members_a_round": len(task.l2[::STUDENT_SHARE]),
            "quick": quick,
        },
    )


def agreement(task: Task, ours: Sequence[Mapping[str, Any]], theirs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Compare what two contenders found, member by member, check by check.

    Where two classes are all but equal in an image, rounding decides: accuracies may differ by such images.
    """
    pairs = list(zip(ours, theirs, strict=True))
    differences = np.zeros(3)
    for our, their in pairs:
        n_checks = min(len(our["checks"]), len(their["checks"]))
        difference = np.abs(np.array(our["checks"][:n_checks]) - np.array(their["checks"][:n_checks]))
        differences = np.maximum(differences, difference.max(axis=0))
    return {
        "members": len(pairs),
        "same_stop": sum(our["n_steps"] == their["n_steps"] for our, their in pairs),
        "largest_difference_of_loss": float(differences[0]),
        "most_images_classified_differently": round(max(differences[1:] * (task.n_validation, task.n_train))),
    }


def describe_agreement(agreements: Mapping[str, Mapping[str, Any]]) -> str:
    """Return whether the contenders stopped at the same steps with the same numbers, a line each."""
    lines = []
    for name, found in agreements.items():
        same, loss = found["same_stop"] == found["members"], found["largest_difference_of_loss"]
        lines.append(
            f"  {name}: {found['same_stop']} of {found['members']} stop at Inkling's step, losses within {loss:.1e}, "
            f"accuracies within {found['most_images_classified_differently']} image(s)"
            f"{'' if same and loss <= LOSS_TOLERANCE else '   NOT THE SAME'}"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure one claim, print it, write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("claim", choices=["single", "sweep", "growth", "network", "digits"])
    parser.add_argument("--rounds", type=int, help="how often each contender is measured (3; of sweep and digits 2)")
    parser.add_argument("--quick", action="store_true", help="small runs, once each: to see that it works")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--picture", type=Path, metavar="FILE", help=".png or .svg")
    arguments = parser.parse_args()
    warn_if_busy()
    rounds = arguments.rounds or (1 if arguments.quick else 2 if arguments.claim in ("sweep", "digits") else 3)
    if arguments.claim == "growth":
        growth = measure_growth(rounds, quick=arguments.quick)
        print(growth.table())
        facts, picture = growth.to_dict(), growth.picture()
    elif arguments.claim in ("network", "digits"):
        comparison = (measure_epoch if arguments.claim == "network" else measure_digits)(rounds, quick=arguments.quick)
        print(comparison.table())
        print(describe_norms(comparison.facts["norms"]))
        facts, picture = comparison.to_dict(), comparison.picture()
    else:
        comparison = (single if arguments.claim == "single" else sweep)(rounds, quick=arguments.quick)
        print(comparison.table())
        print(describe_agreement(comparison.facts["agreement"]))
        facts, picture = comparison.to_dict(), comparison.picture()
    write(facts, picture, json_file=arguments.json, picture=arguments.picture)


if __name__ == "__main__":
    main()
