"""The models that predictions are made with, loaded once each and kept."""

import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from threading import Lock

from service.errors import ServiceError
from service.registry import Model, Registry

FRESH_S = 0.05
"""A reference that was resolved longer ago is resolved again in the background; after twice this, before the answer."""
_MAX_RESOLVED = 1000


@dataclass(frozen=True, slots=True)
class _Resolved:
    """The version that a reference meant, the count of changes before, and when to resolve it again."""

    version: int
    changes: int
    refresh_at_s: float
    expires_s: float


class ModelCatalogue:
    """Names and references to models in memory.

    `get` resolves a reference by a listing of names in the registry and nothing more, so a new version or a moved alias
    answers at once, whichever process made it. `get_cached` answers from memory alone: what this process changed is
    used at once, what another one changed after `FRESH_S`, or twice that at most. Versions never change, so one that is
    loaded is not read again; of more than ``max_loaded`` the one unused for longest is dropped.

    Safe to use from several threads: a model that two ask for at once is loaded once, and loading one does not hold up
    requests for those that are loaded. The ``clock`` is monotonic, in seconds; ``background`` resolves references
    again, a thread of the catalogue's own by default.
    """

    def __init__(
        self,
        registry: Registry,
        *,
        default_name: str,
        max_loaded: int = 16,
        clock: Callable[[], float] = time.monotonic,
        background: Executor | None = None,
    ) -> None:
        if max_loaded < 1:
            raise ValueError(f"max_loaded must be 1 or more, not {max_loaded}")
        self._registry = registry
        self.default_name = default_name
        self._max_loaded = max_loaded
        self._clock = clock
        self._background = background or ThreadPoolExecutor(1, "catalogue")
        self._loaded: OrderedDict[tuple[str, int], Model] = OrderedDict()
        self._resolved: dict[tuple[str, int | str | None], _Resolved] = {}
        self._lock = Lock()
        self._loading = Lock()

    def get(self, name: str | None = None, reference: int | str | None = None) -> Model:
        """Return a model: the default one without a name; of its versions as `Registry.resolve` says.

        Raises `ModelNotFound`; `Corrupted` or `StorageFailed` if its file is damaged or cannot be read, which the next
        call tries again.
        """
        name = self.default_name if name is None else name
        key = name, self._resolve(name, reference)
        model = self._find(key)
        if model is not None:
            return model
        with self._loading:
            model = self._find(key)  # another thread may have loaded it meanwhile
            if model is None:
                model = self._registry.load(*key)
                with self._lock:
                    self._loaded[key] = model
                    if len(self._loaded) > self._max_loaded:
                        self._loaded.popitem(last=False)
            return model

    def get_cached(self, name: str | None = None, reference: int | str | None = None) -> Model | None:
        """Return a model that `get` would return, from memory alone; None where `get` has to be called."""
        name = self.default_name if name is None else name
        known = self._resolved.get((name, reference))
        if known is None or known.changes != self._registry.changes:
            return None
        now_s = self._clock()
        if now_s >= known.expires_s:
            return None
        if now_s >= known.refresh_at_s:
            self._resolved[name, reference] = replace(known, refresh_at_s=known.expires_s)  # once is enough
            self._background.submit(self._refresh, name, reference)
        return self._find((name, known.version))

    def close(self) -> None:
        """Stop resolving in the background."""
        self._background.shutdown(wait=False, cancel_futures=True)

    def _refresh(self, name: str, reference: int | str | None) -> None:
        """Resolve a reference again; the next call of `get` raises what goes wrong."""
        with suppress(ServiceError):
            self.get(name, reference)

    def _resolve(self, name: str, reference: int | str | None) -> int:
        changes, now_s = self._registry.changes, self._clock()  # of before, so that no change is missed
        version = self._registry.resolve(name, reference)
        if len(self._resolved) >= _MAX_RESOLVED:
            self._resolved.clear()
        self._resolved[name, reference] = _Resolved(version, changes, now_s + FRESH_S, now_s + 2 * FRESH_S)
        return version

    def _find(self, key: tuple[str, int]) -> Model | None:
        with self._lock:
            model = self._loaded.get(key)
            if model is not None:
                self._loaded.move_to_end(key)
            return model
