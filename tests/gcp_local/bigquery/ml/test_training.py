"""How models are trained, seen without a server: splits, encodings, determinism."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from gcp_local.bigquery.ml.model import TrainedModel
from gcp_local.bigquery.ml.options import read_options
from gcp_local.bigquery.ml.order import Order, Split
from gcp_local.bigquery.ml.splitting import assign
from gcp_local.bigquery.ml.train import RefusedError, train
from gcp_local.bigquery.schema import Field, Schema, arrow_schema
from tests.gcp_local.bigquery.ml.conftest import COLUMNS, customers

TYPES: Schema = tuple(Field(name, kind) for name, kind in COLUMNS.items())
NUMBERS = ("age", "spend")
FEATURES = ("age", "spend", "plan", "vip")


def table(rows: int = 600) -> pa.Table:
    found = customers(rows)
    for row in found:
        row["since"] = dt.datetime.fromisoformat(row["since"])
    return pa.Table.from_pylist(found, schema=arrow_schema(TYPES))


def trained(
    rows: pa.Table, features: tuple[str, ...] = FEATURES, types: Schema = TYPES, **options: Any
) -> TrainedModel:
    said = {"model_type": "LOGISTIC_REG", "input_label_cols": ("left",), **options}
    chosen = read_options(said)
    label = next(field for field in types if field.name == chosen.label)
    columns = tuple(field for field in types if field.name in features)
    split = Split(chosen["DATA_SPLIT_METHOD"], 0.2, chosen["DATA_SPLIT_COL"] or "")
    model, _ = train(Order(chosen, split, label.type, columns, columns), rows, rows)
    return model


def places(split: Split, rows: pa.Table) -> tuple[list[str], list[str]]:
    """Which rows train and which evaluate, in their order."""
    marks = [str(row) for row in rows.to_pylist()]
    training, held = assign(split, rows)
    return [marks[at] for at in training], [marks[at] for at in held]


def shuffled(rows: pa.Table) -> pa.Table:
    return rows.take(np.random.default_rng(3).permutation(rows.num_rows))


@pytest.mark.parametrize("method", ["AUTO_SPLIT", "RANDOM", "CUSTOM", "SEQ", "NO_SPLIT"])
def test_rows_are_split_by_what_is_in_them_not_by_their_order(method: str) -> None:
    rows = table()
    column = {"CUSTOM": "held", "SEQ": "spend"}.get(method, "")
    split = Split(method, 0.2, column)
    training, held = places(split, rows)
    assert places(split, shuffled(rows)) == (training, held)
    assert set(training).isdisjoint(held)
    assert len(training) + len(held) == rows.num_rows
    share = len(held) / rows.num_rows
    wanted = {"NO_SPLIT": 0, "CUSTOM": 0.25}.get(method, 0.2)
    assert share == pytest.approx(wanted, abs=0.05)


def test_a_split_by_a_column_holds_the_highest_values_and_null() -> None:
    rows = table()
    training, held = assign(Split("SEQ", 0.25, "spend"), rows)
    spend = rows.column("spend").to_numpy()
    assert spend[training].max() < spend[held].min()
    assert len(held) == pytest.approx(150, abs=3)
    flags = pa.array([True, False, None] * 200)
    rows = rows.set_column(rows.column_names.index("held"), "held", flags)
    training, held = assign(Split("CUSTOM", 0.2, "held"), rows)
    assert sorted(training) == [at for at in range(600) if at % 3 == 1]


def test_few_rows_all_train_and_of_many_ten_thousand_evaluate() -> None:
    training, held = assign(Split("AUTO_SPLIT", 0.2), table(499))
    assert (len(training), len(held)) == (499, 0)
    many = pa.table({"x": np.arange(50_001)})
    training, held = assign(Split("AUTO_SPLIT", 0.2), many)
    assert (len(training), len(held)) == (40_001, 10_000)


@pytest.mark.parametrize("model_type", ["LOGISTIC_REG", "BOOSTED_TREE_CLASSIFIER", "LINEAR_REG"])
def test_the_same_rows_in_another_order_give_the_same_model(model_type: str) -> None:
    label = "next_spend" if model_type == "LINEAR_REG" else "left"
    options: dict[str, Any] = {"model_type": model_type, "input_label_cols": (label,)}
    features = (*FEATURES, "since")
    rows = table()
    first = trained(rows, features, **options)
    second = trained(shuffled(rows), features, **options)
    for name in ("weights", "intercepts", "booster", "encoders", "metrics", "statistics"):
        assert getattr(first, name) == getattr(second, name), name
    assert TrainedModel.load(first.dump()) == first


def test_a_logistic_regression_is_scikit_learns() -> None:
    from sklearn.linear_model import LogisticRegression

    rows = table()
    # Nothing stops it before it has converged.
    settings: dict[str, Any] = {"early_stop": False, "max_iterations": 50, "l2_reg": 2.0}
    model = trained(rows, data_split_method="NO_SPLIT", **settings)
    features = model.encoded(rows)
    peer = LogisticRegression(C=0.5, max_iter=1000, tol=1e-10).fit(
        features, rows.column("left").to_pylist()
    )
    np.testing.assert_allclose(model.scores(features), peer.predict_proba(features), atol=1e-4)


def test_classes_weigh_as_they_are_told_to() -> None:
    rows = table().filter(pa.array([n % 3 == 0 or n < 60 for n in range(600)]))
    labels = ["yes" if n % 5 == 0 else "no" for n in range(rows.num_rows)]
    rows = rows.set_column(rows.column_names.index("left"), "left", pa.array(labels))

    def share(**options: Any) -> float:
        model = trained(rows, NUMBERS, data_split_method="NO_SPLIT", **options)
        return float(model.scores(model.encoded(rows))[:, 1].mean())

    assert share() == pytest.approx(0.2, abs=0.03)
    assert share(auto_class_weights=True) == pytest.approx(0.5, abs=0.05)
    assert share(class_weights=(("no", 1.0), ("yes", 8))) == pytest.approx(2 / 3, abs=0.05)
    trees: dict[str, Any] = {
        "model_type": "BOOSTED_TREE_CLASSIFIER",
        "max_tree_depth": 1,
        "max_iterations": 5,
    }
    assert share(auto_class_weights=True, **trees) > share(**trees) + 0.15


def test_what_is_missing_is_the_mean_or_a_category_of_its_own() -> None:
    rows = table()
    model = trained(rows, ("age", "plan"))
    ages = rows.column("age").to_numpy(zero_copy_only=False)
    age, plan = model.encoders
    assert plan.levels == ("_null_filler", "basic", "gold", "plus")
    none = pa.table({"age": pa.array([None], pa.int64()), "plan": pa.array([None], pa.string())})
    assert model.encoded(none).tolist() == [[0.0, 1.0, 0.0, 0.0, 0.0]]
    unknown = pa.table({"age": [age.mean], "plan": ["platinum"]})
    assert model.encoded(unknown).tolist() == [[0.0, 0.0, 0.0, 0.0, 0.0]]
    assert age.mean == pytest.approx(np.nanmean(ages), abs=2)


def test_dummy_encoding_drops_the_most_frequent_category() -> None:
    rows = table()
    model = trained(rows, ("plan",), category_encoding_method="DUMMY_ENCODING")
    (plan,) = model.encoders
    assert plan.dropped not in plan.levels
    assert {plan.dropped, *plan.levels} == {"_null_filler", "basic", "gold", "plus"}


def test_trees_take_categories_by_their_place_and_numbers_as_they_are() -> None:
    model = trained(table(), ("age", "plan"), model_type="BOOSTED_TREE_CLASSIFIER")
    given = pa.table({"age": [33, 50, 60], "plan": ["basic", "plus", None]})
    assert model.encoded(given).tolist() == [[33, 1], [50, 3], [60, 0]]


def test_a_timestamp_becomes_its_parts_for_a_regression_only() -> None:
    rows = table()
    model = trained(rows, ("since",))
    names = [encoder.name for encoder in model.encoders]
    parts = ("DOM", "DOW", "MOY", "HOD", "MIN", "WOY", "YEAR")
    assert names == ["since", *(f"_TS_{part}_since" for part in parts)]
    assert model.columns == ["since"]
    trees = trained(rows, ("since",), model_type="BOOSTED_TREE_CLASSIFIER")
    assert [encoder.name for encoder in trees.encoders] == ["since"]


def test_arrays_and_structs_are_features_too() -> None:
    pair = (Field("index", "INTEGER"), Field("value", "FLOAT"))
    types: Schema = (
        Field("tags", "STRING", "REPEATED"),
        Field("point", "FLOAT", "REPEATED"),
        Field("sparse", "RECORD", "REPEATED", pair),
        Field("home", "RECORD", fields=(Field("city", "STRING"), Field("rooms", "INTEGER"))),
        Field("left", "STRING"),
    )
    rows = [
        {
            "tags": ["a"] if n % 2 else ["b", "c"],
            "point": [n / 10, 1.0],
            "sparse": [{"index": n % 3, "value": 2.0}],
            "home": {"city": "Paris" if n % 3 else "Lyon", "rooms": n % 5},
            "left": "yes" if n % 2 else "no",
        }
        for n in range(40)
    ]
    given = pa.Table.from_pylist(rows, schema=arrow_schema(types))
    names = tuple(field.name for field in types[:-1])
    model = trained(given, names, types)
    assert {encoder.name: encoder.width for encoder in model.encoders} == {
        "tags": 3, "point": 2, "sparse": 3, "home_city": 3, "home_rooms": 1,
    }  # fmt: skip
    assert model.metrics["accuracy"] == 1
    info = {row["input"]: row for row in model.statistics}
    assert info["tags"]["category_count"] == 3
    assert info["sparse"]["dimension"] == 3


@pytest.mark.parametrize(
    ("label", "options", "message"),
    [
        (["yes"] * 40, {}, "at least 2 unique labels"),
        ([f"{n}" for n in range(60)], {}, "at most 50 unique labels"),
        (["yes", None] * 20, {}, "'left' contains NULL"),
        (["yes", "no"] * 20, {"class_weights": (("yes", 1.0),)}, "a weight for each label"),
        ([1.0, math.nan] * 20, {"model_type": "LINEAR_REG"}, "infinity or NaN"),
        ([], {}, "doesn't contain any rows"),
    ],
)
def test_what_cannot_be_learned_from_is_refused(
    label: list[Any], options: dict[str, Any], message: str
) -> None:
    rows = pa.table({"x": np.arange(len(label)), "left": pa.array(label)})
    kind = "FLOAT" if options.get("model_type") else "STRING"
    types = (Field("x", "INTEGER"), Field("left", kind))
    with pytest.raises(RefusedError, match=message):
        trained(rows, ("x",), types, **options)


def test_early_stop_ends_a_training_that_gains_little() -> None:
    rows = table()
    trees: dict[str, Any] = {"model_type": "BOOSTED_TREE_CLASSIFIER", "max_iterations": 15}
    patient = trained(rows, early_stop=False, **trees)
    hasty = trained(rows, min_rel_progress=0.2, **trees)
    assert len(patient.iterations) == 15
    assert 1 < len(hasty.iterations) < 15


def test_lasso_leaves_features_out() -> None:
    strict = trained(table(), ("age", "spend", "plan"), l1_reg=30.0)
    weak = sum(weight == 0 for weight in strict.weights[0])
    assert weak >= 1
    linear: dict[str, Any] = {
        "model_type": "LINEAR_REG",
        "input_label_cols": ("next_spend",),
        "l1_reg": 1e6,
    }
    (weights,) = trained(table(), NUMBERS, **linear).weights
    assert weights == (0.0, 0.0)
