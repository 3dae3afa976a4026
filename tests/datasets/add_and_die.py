"""Adds a data set, and kills itself at the N-th link or fsync. Arguments: folder, N; the parts come as JSON."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from service.datasets import About, Datasets, Uploads, read_upload
from service.registry import LocalStore

countdown = [int(sys.argv[2])]


def last(call: Callable[..., Any]) -> Callable[..., Any]:
    def counted(*arguments: Any, **options: Any) -> Any:
        countdown[0] -= 1
        if countdown[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*arguments, **options)

    return counted


os.fsync, os.link = last(os.fsync), last(os.link)
sent = {name: bytes.fromhex(data) for name, data in json.load(sys.stdin).items()}
upload = read_upload(sent, None, limit_bytes=2_000_000)
Datasets(Uploads(LocalStore(Path(sys.argv[1])))).add("digits", upload, About(title="", source="", licence=""))
