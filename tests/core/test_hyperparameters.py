"""The table of hyperparameters, and the configuration that is checked against it."""

from __future__ import annotations

import json
import math
from dataclasses import FrozenInstanceError, fields, replace
from typing import Any, get_args, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.core import FORMULAS, HYPERPARAMETERS, MAX_TEXT_CHARS, MODELS, Hyperparameter, TrainingConfig
from service.errors import InvalidField

ROWS = {row.name: row for row in HYPERPARAMETERS}
every_row = pytest.mark.parametrize("row", HYPERPARAMETERS, ids=list(ROWS))


def bounds(row: Hyperparameter) -> tuple[float, float]:
    assert row.minimum is not None
    assert row.maximum is not None
    return row.minimum, row.maximum


def legal_values(row: Hyperparameter) -> st.SearchStrategy[Any]:
    match row.kind:
        case "boolean":
            values: st.SearchStrategy[Any] = st.booleans()
        case "choice":
            values = st.sampled_from(sorted(row.choices))
        case "classes":
            digits = st.lists(st.integers(0, 9), min_size=2, max_size=10, unique=True)
            values = digits | digits.map(tuple)
        case "layers":
            sizes = st.lists(st.integers(1, 100), max_size=10)
            values = sizes | sizes.map(tuple)
        case "text":
            values = st.text(min_size=1, max_size=MAX_TEXT_CHARS)
        case "integer":
            minimum, maximum = bounds(row)
            values = st.sampled_from([minimum, maximum]) | st.integers(int(minimum), int(maximum))
        case "number":
            minimum, maximum = bounds(row)
            values = st.floats(minimum, maximum) | st.integers(math.ceil(minimum), int(maximum))
    return st.none() | values if row.nullable else values


def illegal_values(row: Hyperparameter) -> st.SearchStrategy[Any]:
    nothing_takes = st.binary() | st.dictionaries(st.text(), st.integers()) | st.complex_numbers()
    texts = st.text().filter(lambda text: text not in row.choices)
    values: st.SearchStrategy[Any] = nothing_takes | texts if row.nullable else st.none() | nothing_takes | texts
    match row.kind:
        case "text":
            too_long = st.text(min_size=MAX_TEXT_CHARS + 1, max_size=MAX_TEXT_CHARS + 9)
            return nothing_takes | too_long | st.just("") | st.integers() | st.booleans()
        case "boolean":
            return values | st.integers() | st.floats() | st.sampled_from(["true", "false"])
        case "choice":
            spelt_otherwise = st.sampled_from(sorted(row.choices)).map(str.upper)
            return values | spelt_otherwise | st.booleans() | st.integers() | st.lists(st.text())
        case "classes":
            digits = st.integers(0, 9)
            return (
                values
                | digits
                | st.lists(digits, max_size=1)
                | st.lists(digits, min_size=11)
                | st.lists(digits, min_size=1, max_size=4).map(lambda some: [*some, some[0]])
                | st.sampled_from([[2, 10], [-1, 2], [True, False], [2.0, 3.0], ["2", "3"], [2, None]])
                | st.sampled_from(["23", {2, 3}, range(2), [[2], [3]]])
            )
        case "layers":
            return (
                values
                | st.integers()
                | st.lists(st.integers(1, 100), min_size=11)
                | st.sampled_from([[0], [-1], [2049], [10**5000], [True], [8.0], ["8"], [None], [[8]]])
                | st.sampled_from(["8", "256-128", {8}, range(1, 3)])
            )
    minimum, maximum = bounds(row)
    values |= st.booleans() | st.lists(st.integers()) | st.sampled_from([math.nan, math.inf, -math.inf])
    values |= st.integers(max_value=math.ceil(minimum) - 1) | st.integers(min_value=int(maximum) + 1)
    values |= st.sampled_from([10**5000, -(10**5000), f"{maximum}"])
    if row.kind == "integer":
        return values | st.floats()
    return values | st.floats(max_value=minimum, exclude_max=True) | st.floats(min_value=maximum, exclude_min=True)


configs = st.fixed_dictionaries({}, optional={name: legal_values(row) for name, row in ROWS.items()}).filter(
    lambda given: (
        (given.get("model") != "logistic" or len(given.get("classes") or (2, 3)) == 2)
        and not (given.get("hidden_layers") and given.get("initialization") == "zeros")
    )
)


class TestTable:
    def test_ranges_as_they_are_stated(self) -> None:
        assert {name: row.allowed for name, row in ROWS.items()} == {
            "model": "softmax or logistic",
            "classes": "2 to 10 different digits from 0 to 9; exactly 2 for logistic, or null",
            "hidden_layers": "up to 10 whole numbers from 1 to 2,048, 2,000,000 parameters at most",
            "activation": "relu or sigmoid or improved_sigmoid, or null",
            "initialization": "zeros or uniform or xavier or he, or null",
            "start_from": "a text of 1 to 200 characters, or null",
            "input_scaling": "range or standard, or null",
            "augmentation": "none or soft or strong, or null",
            "learning_rate": "a number from 1e-06 to 10",
            "momentum": "a number from 0 to 0.999, or null",
            "learning_rate_schedule": "constant or cosine, or null",
            "batch_size": "a whole number from 1 to 60,000",
            "epochs": "a whole number from 1 to 10,000",
            "shuffle": "true or false",
            "seed": "a whole number from 0 to 4,294,967,295",
            "l2_penalty": "a number from 0 to 100",
            "l2_convention": "squared or half_squared or squared_without_bias",
            "patience": "a whole number from 1 to 100,000, or null",
            "checks_per_epoch": "a whole number from 1 to 1,000",
            "drop_last": "true or false",
            "train_size": "a whole number from 1 to 1,000,000, or null",
            "validation": "test or holdout",
            "validation_size": "a whole number from 1 to 1,000,000",
            "dtype": "float32 or float64",
            "publish": "best or last",
        }

    def test_it_has_the_fields_of_the_configuration_in_their_order(self) -> None:
        assert [field.name for field in fields(TrainingConfig)] == list(ROWS)

    def test_the_defaults_are_those_of_the_configuration(self) -> None:
        assert TrainingConfig() == TrainingConfig(**{name: row.default for name, row in ROWS.items()})

    def test_the_choices_are_those_of_the_types_and_of_the_parts(self) -> None:
        hints = get_type_hints(TrainingConfig)
        for row in HYPERPARAMETERS:
            if row.kind == "choice":
                assert get_args(hints[row.name]) in ((), (str, type(None)), tuple(row.choices))
        assert set(ROWS["model"].choices) == set(MODELS)
        assert set(ROWS["l2_convention"].choices) == set(FORMULAS)

    @every_row
    def test_legal_values_are_accepted(self, row: Hyperparameter) -> None:
        @settings(max_examples=30)
        @given(legal_values(row))
        def accepted(value: Any) -> None:
            checked = row.check(value)
            assert checked == (tuple(value) if isinstance(value, list) else value)
            if row.kind == "number" and value is not None:
                assert type(checked) is float
            in_use: dict[str, Any] = {"hidden_layers": (8,)} if row.name == "activation" else {}
            assert getattr(TrainingConfig(**in_use, **{row.name: value}), row.name) == checked or value is None

        accepted()

    @pytest.mark.slow
    @every_row
    def test_anything_else_is_refused_by_name_and_range(self, row: Hyperparameter) -> None:
        @settings(max_examples=50)
        @given(illegal_values(row))
        def refused(value: Any) -> None:
            with pytest.raises(InvalidField) as caught:
                TrainingConfig.from_dict({row.name: value})
            assert (caught.value.field, caught.value.allowed) == (row.name, row.allowed)
            assert caught.value.message == f"{row.name} must be {row.allowed}."

        refused()


class TestConfiguration:
    def test_classes_not_given_are_those_of_the_model(self) -> None:
        assert TrainingConfig().classes == tuple(range(10))
        assert TrainingConfig(model="logistic").classes == (2, 3)
        assert TrainingConfig.from_dict({"model": "logistic", "classes": None}).classes == (2, 3)

    def test_logistic_takes_exactly_two_classes_and_keeps_their_order(self) -> None:
        assert TrainingConfig(model="logistic", classes=(7, 1)).classes == (7, 1)
        with pytest.raises(InvalidField, match="exactly 2 for logistic"):
            TrainingConfig(model="logistic", classes=(1, 2, 3))

    def test_columns_of_the_weights(self) -> None:
        assert TrainingConfig(model="logistic").build_model().n_outputs == 1
        assert TrainingConfig(classes=(2, 3)).build_model().n_outputs == 2
        assert TrainingConfig().build_model().n_outputs == 10

    @given(configs)
    def test_plain_data_and_back(self, values: dict[str, Any]) -> None:
        config = TrainingConfig.from_dict(values)
        assert TrainingConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config
        assert hash(config) == hash(TrainingConfig.from_dict(values))

    @pytest.mark.parametrize("name", ["epoch", "Model", "", "n_outputs"])
    def test_unknown_names_are_refused(self, name: str) -> None:
        with pytest.raises(InvalidField) as caught:
            TrainingConfig.from_dict({"epochs": 3, name: 3})
        assert caught.value.field == name
        assert caught.value.allowed == ", ".join(ROWS)

    def test_it_is_frozen(self) -> None:
        with pytest.raises(FrozenInstanceError):
            TrainingConfig().epochs = 3  # type: ignore[misc]

    def test_what_a_stack_must_share(self) -> None:
        changes: dict[str, Any] = {
            **{"learning_rate": 0.5, "epochs": 3, "l2_penalty": 1.0, "l2_convention": "half_squared"},
            **{"patience": None, "publish": "last"},
        }
        config = TrainingConfig()
        assert replace(config, **changes).stack_key() == config.stack_key()
        others: dict[str, Any] = {
            **{"model": "logistic", "classes": (2, 3), "batch_size": 64, "shuffle": False, "seed": 1},
            **{"checks_per_epoch": 1, "drop_last": False, "train_size": None, "validation": "holdout"},
            **{"validation_size": 100, "dtype": "float64", "hidden_layers": (4,), "initialization": "he"},
            **{"input_scaling": "standard", "augmentation": "soft", "momentum": 0.5},
            **{"learning_rate_schedule": "cosine", "start_from": "digits"},
        }
        assert changes.keys() | others.keys() | {"activation"} == ROWS.keys()
        network = TrainingConfig(hidden_layers=(4,))
        assert replace(network, activation="sigmoid").stack_key() != network.stack_key()
        for name, value in others.items():
            other = TrainingConfig(**{name: value})
            assert other.stack_key() != config.stack_key(), name
