"""Adds a data set to folders called 1, 2, ...: each time a child does it that kills itself at the N-th link or fsync.

It prints the N that no child lived to see. Arguments: where the folders are made, and ``add`` or ``delete``: with
``delete`` the data set is there, and the child dies deleting it. The parts come as JSON.
"""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from service.datasets import About, Datasets, read_upload
from service.stores import LocalStore
from tests.killed_child import is_killed_at

sent = {name: bytes.fromhex(data) for name, data in json.load(sys.stdin).items()}
upload = read_upload(sent, None, limit_bytes=2_000_000)
for number in itertools.count(1):
    datasets = Datasets(LocalStore(Path(sys.argv[1]) / str(number)))
    add = partial(datasets.add, "digits", upload, About(title="", source="", licence=""))
    change: Callable[[], object] = add
    if sys.argv[2] == "delete":
        add()
        change = partial(datasets.delete, "digits")
    if not is_killed_at(number, ("fsync", "link", "unlink"), change):
        print(number)
        break
