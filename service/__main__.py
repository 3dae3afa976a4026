"""The console script ``inkling``, and ``python -m service``."""

import gc
import os


def main() -> None:
    """Run the command line.

    A matrix product of this size gains nothing from more threads, and its last bits depend on their number:
    one thread is the faster and the reproducible choice. BLAS reads these once, while NumPy is imported, so
    they are set before anything else is.
    """
    for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(variable, "1")
    from .cli import cli  # noqa: PLC0415

    try:
        cli(prog_name="inkling")
    finally:
        gc.freeze()  # else the interpreter collects all that was imported once more as it exits: 0.4 s after a report


if __name__ == "__main__":
    main()
