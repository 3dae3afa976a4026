"""The training core as scikit-learn estimators, for pipelines, cross-validation and grid searches. Extra: ``sklearn``.

>>> from service.sklearn import SoftmaxRegression
>>> SoftmaxRegression(pixel_max=255, epochs=20, random_state=0)
SoftmaxRegression(epochs=20, pixel_max=255, random_state=0)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from service.core import DIGITS, MODELS, Certainty, Floats, Model, StopReason, TrainingConfig, TrainingData, train
from service.errors import InvalidField

_MAX_SEED = 2**31 - 1


@dataclass(kw_only=True, repr=False, eq=False)
class _Regression(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """What both estimators do.

    Parameters
    ----------
    learning_rate, batch_size, epochs, l2_penalty, shuffle : as the service has them; the objective is
        ``mean_i loss_i + l2_penalty * ||W||^2``, bias included.
    hidden_layers : the sizes of hidden layers, as in ``(256, 128)``; none by default.
    activation, initialization, momentum, learning_rate_schedule : as the service has them; None is its default, which
        depends on whether there are hidden layers. Features are not augmented.
    patience : checks, of which there are five an epoch, without a new lowest validation loss before training stops;
        None for all epochs.
    validation_fraction : of the samples, drawn at random, that are validated on and not trained on; with 0 all are
        trained on, and validated on too. With 100 samples to validate on or more, probabilities are calibrated on
        them; `decision_function` returns the logits before that.
    pixel_max : scale features as the service scales images, to ``2 x / pixel_max - 1``; None takes them as they are.
    random_state : for the order of the samples and for those that are validated on.

    Attributes
    ----------
    classes_ : (n_classes,) labels, sorted; at most 10.
    coef_, intercept_ : as of scikit-learn's linear classifiers: (n_classes, n_features) and (n_classes,), or for two
        classes (1, n_features) and (1,), for the second of them. Of the lowest validation loss. With hidden layers
        there are none: evidence then depends on the sample.
    coefs_, intercepts_ : with hidden layers, of each layer, as of ``MLPClassifier``: (fan_in, fan_out) and
        (fan_out,); the output of `LogisticRegression` is the logit of the first class.
    temperature_ : by which logits are divided before they become probabilities: 1, unless they are calibrated.
    n_iter_ : epochs that were begun.
    n_features_in_ : at most 784.
    """

    learning_rate: float = 0.1
    batch_size: int = 32
    epochs: int = 100
    l2_penalty: float = 0.0
    shuffle: bool = True
    hidden_layers: Any = ()
    activation: str | None = None
    initialization: str | None = None
    momentum: float | None = None
    learning_rate_schedule: str | None = None
    patience: int | None = None
    validation_fraction: float = 0.0
    pixel_max: float | None = None
    random_state: Any = None
    _model: ClassVar[str]

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Train on samples (n_samples, n_features) and their labels (n_samples,).

        Raise ValueError if a parameter is out of range, there are too many features or classes or only one class, or
        the loss stopped being a finite number.
        """
        features, labels = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(labels)
        self.classes_, places = np.unique(labels, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError("Training needs two classes or more, and only one class is present.")
        if MODELS[self._model].output.is_binary and len(self.classes_) > 2:
            raise ValueError(f"Only binary classification is supported, and here are {len(self.classes_)} classes.")
        generator = check_random_state(self.random_state)
        try:
            config = TrainingConfig(
                model=self._model,
                classes=tuple(range(len(self.classes_))),
                dtype="float64",
                train_size=None,
                seed=int(generator.randint(_MAX_SEED)),
                **self._hyperparameters(),
            )
        except InvalidField as error:
            raise ValueError(f"{error.field}: {error.message} Allowed: {error.allowed}.") from None
        x = self._design_matrix(features)
        trained, validated = self._parts(len(x), generator)
        y_index = places.astype(np.int64)
        data = TrainingData(
            x_train=x[trained], y_train=y_index[trained], x_validation=x[validated], y_validation=y_index[validated]
        )
        result = train(config, data)
        if result.stop_reason is StopReason.NON_FINITE_LOSS:
            raise ValueError("The loss stopped being a finite number; a smaller learning_rate may help.")
        self._function: Model = config.build_model()
        self._parameters = result.state.best
        self.n_iter_ = result.state.last_check.epoch + 1 if result.state.last_check else 1
        if self.validation_fraction:
            held_out = self._function.joint_logits(self._parameters[np.newaxis], data.x_validation)[0]
            if certainty := Certainty.measure(self._function.output, held_out, data.y_validation):
                self._function.temperature = certainty.temperature
        self.temperature_ = self._function.temperature
        self._publish_weights()
        return self

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the probability of each class for each sample, (n_samples, n_classes)."""
        x = self._checked(X)
        return np.array(self._function.probabilities(self._parameters, x), np.float64)

    def decision_function(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the logits, (n_samples, n_classes); for two classes the logit of the second, (n_samples,)."""
        x = self._checked(X)
        if self._function.is_linear:
            logits: NDArray[np.float64] = x @ self._directions().T
            return logits[:, 0] if len(self.classes_) == 2 else logits
        values = self._function.output.class_values(self._function.image_logits(self._parameters, x)[:, :, 0])
        found = self._function.output.contrast(values, 1, 0) if len(self.classes_) == 2 else values
        return np.asarray(found, np.float64)

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Return the most probable label for each sample, (n_samples,)."""
        best = self.predict_proba(X).argmax(axis=1)
        predicted: NDArray[Any] = self.classes_[best]
        return predicted

    def _hyperparameters(self) -> dict[str, Any]:
        """Return those of the service, in types of Python: a grid search over `numpy.arange` gives NumPy's."""
        layers = tuple(int(size) for size in np.ravel(self.hidden_layers)) if self.hidden_layers is not None else ()
        given = {name: getattr(self, name) for name in _SHARED}
        given |= {name: getattr(self, name) for name in _CHOSEN if getattr(self, name) is not None}
        plain = {name: value.item() if isinstance(value, np.generic) else value for name, value in given.items()}
        return {**plain, "hidden_layers": layers, "augmentation": "none"}

    def _publish_weights(self) -> None:
        for name in ("coef_", "intercept_", "coefs_", "intercepts_"):
            self.__dict__.pop(name, None)  # of an earlier fit
        if self._function.is_linear:
            towards = self._directions()
            self.coef_, self.intercept_ = towards[:, : self.n_features_in_], towards[:, -1]
            return
        first, *others = self._function.layout.views(self._parameters).values()
        self.coefs_ = [first[: self.n_features_in_], *(matrix[:-1] for matrix in others)]
        self.intercepts_ = [matrix[-1] for matrix in (first, *others)]

    def _checked(self, X: ArrayLike) -> NDArray[np.float64]:
        check_is_fitted(self)
        return self._design_matrix(validate_data(self, X, reset=False, dtype=np.float64))

    def _design_matrix(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (n_samples, n_inputs): missing features are zeros, which change nothing, and the last is 1."""
        if X.shape[1] > DIGITS.n_pixels:
            raise ValueError(f"There may be at most {DIGITS.n_pixels} features, and here are {X.shape[1]}.")
        x = np.zeros((len(X), DIGITS.n_inputs))
        x[:, : X.shape[1]] = X if self.pixel_max is None else 2 * X / self.pixel_max - 1
        x[:, -1] = 1
        return x

    def _directions(self) -> Floats:
        """Return the slopes of each logit, or of two classes' that of the second: (n_classes or 1, n_inputs)."""
        output = self._function.output
        slopes = output.class_values(self._function.slopes(self._parameters, np.zeros(DIGITS.n_inputs)))
        if len(self.classes_) > 2:
            return np.ascontiguousarray(slopes.T)
        return output.contrast(slopes, 1, 0)[np.newaxis]

    def _parts(self, n_samples: int, generator: Any) -> tuple[Any, Any]:
        n_validated = round(n_samples * self.validation_fraction)
        if not 0 <= n_validated < n_samples:
            raise ValueError(f"validation_fraction must leave samples to train on, not {self.validation_fraction!r}")
        if not n_validated:
            return slice(None), slice(None)
        order = generator.permutation(n_samples)
        return np.sort(order[n_validated:]), np.sort(order[:n_validated])


_SHARED = ("learning_rate", "batch_size", "epochs", "l2_penalty", "shuffle", "patience")
_CHOSEN = ("activation", "initialization", "momentum", "learning_rate_schedule")


class SoftmaxRegression(_Regression):
    """Softmax regression by mini-batch gradient descent, for 2 to 10 classes."""

    __doc__ += (_Regression.__doc__ or "").partition("\n")[2]
    _model = "softmax"


class LogisticRegression(_Regression):
    """Logistic regression by mini-batch gradient descent, for two classes."""

    __doc__ += (_Regression.__doc__ or "").partition("\n")[2]
    _model = "logistic"

    def __sklearn_tags__(self) -> Any:
        """See `sklearn.base.BaseEstimator`."""
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags
