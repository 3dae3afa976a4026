"""The page's modules that compute, tested in JavaScript by Deno."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def test_what_computes() -> None:
    deno = Path(sys.executable).with_name("deno")
    command = [
        deno,
        "test",
        "--no-check",
        "--no-lock",
        "--quiet",
        "--allow-net=127.0.0.1",
        "--location=http://127.0.0.1",
        HERE,
    ]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env={**os.environ, "NO_COLOR": "1"})
    assert done.returncode == 0, done.stdout + done.stderr
