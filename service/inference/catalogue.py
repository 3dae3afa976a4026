"""The models that predictions are made with, loaded once each and kept."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

from service.registry import Model, Registry


class ModelCatalogue:
    """Names and references to models in memory.

    A reference is resolved at each request, by a listing of names in the registry and nothing more, so a new
    version or a moved alias speaks at once, whichever process made it. Versions never change, so one that is
    loaded is never looked at again; the one that has gone unused for longest makes room for a new one.

    Safe to use from several threads: a model that two ask for at once is loaded once, and loading one does not
    hold up requests for those that are loaded.

    Parameters
    ----------
    registry : where models are.
    default_name : the model that speaks when none is named.
    max_loaded : models to keep at most.
    """

    def __init__(self, registry: Registry, *, default_name: str, max_loaded: int = 16) -> None:
        if max_loaded < 1:
            raise ValueError(f"max_loaded must be 1 or more, not {max_loaded}")
        self._registry = registry
        self._default_name = default_name
        self._max_loaded = max_loaded
        self._loaded: OrderedDict[tuple[str, int], Model] = OrderedDict()
        self._looking = Lock()
        self._loading = Lock()

    @property
    def default_name(self) -> str:
        """The model that speaks when none is named."""
        return self._default_name

    def get(self, name: str | None = None, reference: int | str | None = None) -> Model:
        """Return a model.

        Parameters
        ----------
        name : None for the default model.
        reference : a version or an alias; None as `Registry.resolve` says.

        Raises
        ------
        ModelNotFound
            There is no such model, version or alias.
        Corrupted, StorageFailed
            The registry cannot vouch for its file, or cannot read it. It is not kept: the next call tries again.
        """
        name = self._default_name if name is None else name
        key = name, self._registry.resolve(name, reference)
        model = self._find(key)
        if model is not None:
            return model
        with self._loading:
            model = self._find(key)  # somebody else may have loaded it meanwhile
            if model is None:
                model = self._registry.load(*key)
                with self._looking:
                    self._loaded[key] = model
                    if len(self._loaded) > self._max_loaded:
                        self._loaded.popitem(last=False)
            return model

    def _find(self, key: tuple[str, int]) -> Model | None:
        with self._looking:
            model = self._loaded.get(key)
            if model is not None:
                self._loaded.move_to_end(key)
            return model
