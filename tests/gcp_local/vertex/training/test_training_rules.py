"""What training pipelines decide without a server: splits, tables, inputs, encodings."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from google.cloud.aiplatform_v1.types import training_pipeline as pipeline_types
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from gcp_local.errors import InvalidArgument, Unimplemented
from gcp_local.rpc.protos import Value, from_json, raw
from gcp_local.vertex.training.inputs import (
    TabularInputs,
    Transformation,
    read_split,
    read_tabular,
)
from gcp_local.vertex.training.splits import Split, SplitError, assign, whole_fractions
from gcp_local.vertex.training.stand_in.columns import learn
from gcp_local.vertex.training.stand_in.model import InstanceError, TabularModel
from gcp_local.vertex.training.stand_in.names import Specification
from gcp_local.vertex.training.stand_in.train import RefusedError, train
from gcp_local.vertex.training.table import TableError, read_table
from tests.gcp_local.vertex.training.tables import as_csv, customers

InputDataConfig = raw(pipeline_types.InputDataConfig)


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """As the training's own process has it: small data on many threads only wait for them."""
    with threadpool_limits(1):
        yield


FEATURES = tuple(Transformation(name, "auto") for name in ("age", "plan", "since", "note"))


@pytest.mark.parametrize(
    ("asked", "whole"),
    [
        ((0, 0, 0), (0.8, 0.1, 0.1)),
        ((0.6, 0.2, 0.2), (0.6, 0.2, 0.2)),
        ((0.5, 0, 0), (0.5, 0.25, 0.25)),
        ((0.5, 0.25, 0.125), (0.625, 0.25, 0.125)),
        ((0.75, 0, 0.25), (0.75, 0, 0.25)),
    ],
)
def test_fractions_are_made_whole(
    asked: tuple[float, float, float], whole: tuple[float, float, float]
) -> None:
    assert whole_fractions(asked) == pytest.approx(whole)


@pytest.mark.parametrize(
    "asked", [(0.8, 0.2, 0.1), (-0.1, 0.5, 0.5), (1.5, 0, 0), (math.nan, 0, 0)]
)
def test_fractions_that_cannot_be_are_refused(asked: tuple[float, float, float]) -> None:
    with pytest.raises(SplitError):
        whole_fractions(asked)


def test_every_row_is_in_one_set_and_always_in_the_same() -> None:
    sets = assign(Split(), 1000, None)
    assert [len(rows) for rows in sets.values()] == [800, 100, 100]
    assert sorted(row for rows in sets.values() for row in rows) == list(range(1000))
    assert assign(Split(), 1000, None) == sets
    assert sets["test"] != list(range(900, 1000))


def test_a_column_can_say_the_split_and_other_values_are_ignored() -> None:
    key = ["training", "TRAIN", "validation", "VALIDATE", "test", "TEST", "", "Training", "else"]
    sets = assign(Split("predefined", key="part"), len(key), key)
    assert sets == {"training": [0, 1], "validation": [2, 3], "test": [4, 5]}


def test_the_earliest_rows_train_and_the_latest_test() -> None:
    key = [f"2026-01-{day:02}T00:00:00Z" for day in range(10, 0, -1)] + ["yesterday", ""]
    sets = assign(Split("timestamp", key="since"), len(key), key)
    assert sets == {"training": list(range(2, 10)), "validation": [1], "test": [0]}


def test_a_stratified_split_mirrors_the_distribution() -> None:
    key = ["a"] * 500 + ["b"] * 100 + ["once"]
    sets = assign(Split("stratified", (0.8, 0.1, 0.1), "plan"), len(key), key)
    for name, share in (("training", 0.8), ("validation", 0.1), ("test", 0.1)):
        values = [key[row] for row in sets[name]]
        assert values.count("a") == 500 * share
        assert values.count("b") == 100 * share
    assert sum(map(len, sets.values())) == 601


@pytest.mark.parametrize(
    ("config", "error"),
    [
        ({"filterSplit": {"trainingFilter": "-"}}, "unstructured"),
        ({"predefinedSplit": {}}, "predefined_split.key is required"),
        ({"timestampSplit": {"trainingFraction": 0.8}}, "timestamp_split.key is required"),
        ({"fractionSplit": {"trainingFraction": 1.5}}, "Invalid fraction_split"),
        ({"annotationsFilter": "x"}, "does not apply"),
        ({"annotationSchemaUri": "gs://b/x.yaml"}, "does not apply"),
        ({"savedQueryId": "1"}, "does not apply"),
        ({"persistMlUseAssignment": True}, "does not apply"),
    ],
)
def test_splits_that_tables_cannot_have_are_refused(config: dict[str, Any], error: str) -> None:
    with pytest.raises(InvalidArgument, match=error):
        read_split(from_json(config, InputDataConfig))


def inputs(**changes: Any) -> dict[str, Any]:
    said = {
        "targetColumn": "churned",
        "predictionType": "classification",
        "trainBudgetMilliNodeHours": 1000,
        "transformations": [{"auto": {"column_name": "age"}}],
    }
    return {name: value for name, value in {**said, **changes}.items() if value != "absent"}


def test_inputs_are_read_in_camel_and_in_snake_case_and_nulls_are_as_absent() -> None:
    said = inputs(
        weight_column_name="weight",
        trainBudgetMilliNodeHours="72000",
        optimizationObjective="maximize-precision-at-recall",
        optimizationObjectiveRecallValue=0.5,
        optimizationObjectivePrecisionValue=None,
        disableEarlyStopping=True,
        transformations=[
            {"numeric": {"columnName": "age", "invalidValuesAllowed": True}},
            {"timestamp": {"column_name": "since", "time_format": "unix-seconds"}},
        ],
    )
    assert read_tabular(from_json(said, Value)) == TabularInputs(
        target="churned",
        prediction_type="classification",
        objective="maximize-precision-at-recall",
        objective_value=0.5,
        weight="weight",
        early_stopping=False,
        transformations=(
            Transformation("age", "numeric", invalid_allowed=True),
            Transformation("since", "timestamp", time_format="unix-seconds"),
        ),
    )


AUTO = {"auto": {"columnName": "age"}}


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"targetColumn": "absent"}, "targetColumn is required"),
        ({"predictionType": "forecasting"}, "predictionType must be one of"),
        ({"trainBudgetMilliNodeHours": 999}, "from 1000 to 72000"),
        ({"trainBudgetMilliNodeHours": 72001}, "from 1000 to 72000"),
        ({"trainBudgetMilliNodeHours": "absent"}, "from 1000 to 72000"),
        ({"trainBudgetMilliNodeHours": True}, "must be a number"),
        ({"optimizationObjective": "minimize-rmse"}, "of classification is one of"),
        ({"predictionType": "regression", "optimizationObjective": "maximize-au-roc"}, "regress"),
        ({"optimizationObjective": "maximize-precision-at-recall"}, "RecallValue must be from 0"),
        ({"optimizationObjectiveRecallValue": 0.5}, "goes with"),
        ({"weightColumnName": "churned"}, "cannot be the target"),
        ({"disableEarlyStopping": 1}, "must be true or false"),
        ({"transformations": []}, "at least one"),
        ({"transformations": [{**AUTO, "text": {"columnName": "age"}}]}, "exactly one of"),
        ({"transformations": [{"embedding": {"columnName": "age"}}]}, "exactly one of"),
        ({"transformations": [{"auto": {"columnName": "churned"}}]}, "target column"),
        ({"transformations": [{"auto": {}}]}, "columnName is required"),
        ({"transformations": [{"auto": {"columnName": "a", "timeFormat": "%Y"}}]}, "Unknown name"),
        ({"budget": 7}, "Unknown names.*budget"),
    ],
)
def test_inputs_that_do_not_follow_the_schema_are_refused(
    changes: dict[str, Any], error: str
) -> None:
    with pytest.raises(InvalidArgument, match=error):
        read_tabular(from_json(inputs(**changes), Value))


@pytest.mark.parametrize(
    "changes",
    [
        {"transformations": [{"repeatedText": {"columnName": "notes"}}]},
        {"transformations": [AUTO, {"numeric": {"columnName": "age"}}]},
        {"exportEvaluatedDataItemsConfig": {"destinationBigqueryUri": "bq://p.d.t"}},
        {"additionalExperiments": ["something"]},
    ],
)
def test_what_the_stand_in_has_not_got_is_said(changes: dict[str, Any]) -> None:
    with pytest.raises(Unimplemented):
        read_tabular(from_json(inputs(**changes), Value))


def test_files_after_the_first_have_the_same_header_or_none(tmp_path: Path) -> None:
    texts = ['\ufeffa,b\r\n1,"x, y"\r\n', "a,b\n2,z\n\n", "3,\n"]
    files = []
    for number, text in enumerate(texts):
        path = tmp_path / str(number)
        path.write_text(text)
        files.append((f"gs://b/{number}", path))
    table = read_table(files)
    assert table.columns == {"a": ["1", "2", "3"], "b": ["x, y", "z", ""]}
    with pytest.raises(TableError, match="no column 'c'"):
        table.column("c")


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", "empty"),
        (b"a\n1\n", "1 columns"),
        (b"a,_b\n1,2\n", "Invalid column name '_b'"),
        (b"a,b c\n1,2\n", "Invalid column name 'b c'"),
        (b"a,a\n1,2\n", "twice"),
        (b"a,b\n1,2,3\n", "Row 2 of gs://b/x has 3 values"),
        (b"a,b\n\xff,2\n", "cannot be read as CSV in UTF-8"),
        (b'a,b\n"1"x,2\n', "cannot be read as CSV"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path: Path, content: bytes, error: str) -> None:
    path = tmp_path / "x"
    path.write_bytes(content)
    with pytest.raises(TableError, match=error):
        read_table([("gs://b/x", path)])


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["1", "", "2.5", "-3e2"], "numeric"),
        (["2026-01-01T00:00:00Z", "2026-01-02"], "timestamp"),
        (["a", "b", "7"], "categorical"),
        ([f"the {number} quick brown foxes jump" for number in range(9)], "text"),
        (["nan", "inf"], "categorical"),
        (["", ""], "categorical"),
    ],
)
def test_a_columns_kind_is_inferred(values: list[str], kind: str) -> None:
    assert learn("x", "auto", values).kind == kind


def test_values_become_features() -> None:
    numeric = learn("x", "numeric", ()).encode(["1.5", "", "much"])
    assert numeric[0] == 1.5
    assert np.isnan(numeric[1:]).all()
    category = learn("x", "categorical", ["3"] * 6 + ["b"] * 5 + ["rare"] * 4)
    assert category.encode(["3.0", "b", "rare", ""]).tolist() == [[1, 0], [0, 1], [0, 0], [0, 0]]
    time = learn("x", "timestamp", (), time_format="unix-milliseconds")
    assert time.encode(["1000"]).tolist() == [[1.0, 1970, 1, 1, 3]]
    shaped = learn("x", "timestamp", (), time_format="%d.%m.%Y")
    assert shaped.encode(["02.01.2026"])[0, 1:].tolist() == [2026, 1, 2, 4]
    assert shaped.invalid(["02.01.2026", "2026-01-02", ""]) == [1]
    text = learn("x", "text", ["good good bill"] * 5)
    assert text.encode(["a good one"])[0].sum() == 3 + 1


def specification(tmp_path: Path, rows: list[dict[str, str]], **said: Any) -> Specification:
    path = tmp_path / "data.csv"
    path.write_text(as_csv(rows))
    split = said.pop("split", Split())
    chosen = {
        "target": "churned",
        "prediction_type": "classification",
        "objective": "",
        "transformations": FEATURES,
        **said,
    }
    return Specification((("gs://b/data.csv", str(path)),), TabularInputs(**chosen), split)


def test_the_same_data_give_the_same_model_in_whatever_order_the_columns_are_asked_for(
    tmp_path: Path,
) -> None:
    asked = specification(tmp_path, customers())
    model, report = train(asked)
    turned = specification(tmp_path, customers(), transformations=FEATURES[::-1])
    again, report_again = train(turned)
    model.save(tmp_path / "one")
    again.save(tmp_path / "two")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert report == report_again
    assert report["metrics"]["auRoc"] > 0.85
    assert report["rows"] == {"training": 800, "validation": 100, "test": 100}
    matters = sorted(report["attributions"], key=report["attributions"].get)
    assert set(matters[-2:]) == {"age", "plan"}
    instance = {"age": None, "plan": "gold", "since": "2020-01-01T00:00:00Z", "note": "hello"}
    loaded = TabularModel.load((tmp_path / "one").read_bytes())
    assert loaded.predict([instance]) == model.predict([instance])


def test_metrics_agree_with_one_another(tmp_path: Path) -> None:
    _, report = train(specification(tmp_path, customers(), weight="weight"))
    found = report["metrics"]
    matrix = found["confusionMatrix"]
    assert [each["displayName"] for each in matrix["annotationSpecs"]] == ["no", "yes"]
    right = sum(matrix["rows"][place][place] for place in range(2))
    half = next(each for each in found["confidenceMetrics"] if each["confidenceThreshold"] == 0.5)
    assert half["recallAt1"] == right / 100
    assert half["truePositiveCount"] == str(right)
    assert found["confidenceMetrics"][0]["recall"] == 1
    assert 0 < found["logLoss"] < math.log(2)
    assert len(found["confidenceMetrics"]) == 24


def test_customers_who_leave_are_found_in_the_repositorys_sample(tmp_path: Path) -> None:
    path = tmp_path / "churn.csv"
    command = [sys.executable, "-m", "churn", "sample", "--rows", "1500", "--output", str(path)]
    subprocess.run(command, check=True, capture_output=True)
    names = read_table([("churn.csv", path)]).columns
    # The public file's two columns that begin so leak the target.
    aside = ("Naive_Bayes", "CLIENTNUM", "Attrition_Flag")
    features = tuple(Transformation(each, "auto") for each in names if not each.startswith(aside))
    inputs = TabularInputs("Attrition_Flag", "classification", "", features)
    _, report = train(Specification((("churn.csv", str(path)),), inputs, Split()))
    attrited = report["slices"]["Attrited Customer"]
    assert 0.75 < attrited["auRoc"] < 1
    assert attrited["auPrc"] > 0.5


@pytest.mark.parametrize("objective", ["", "minimize-mae", "minimize-rmsle"])
def test_a_regression_predicts_a_value_within_bounds(tmp_path: Path, objective: str) -> None:
    asked = specification(
        tmp_path,
        customers(),
        target="spend",
        prediction_type="regression",
        objective=objective,
        split=Split("predefined", key="part"),
        transformations=(*FEATURES, Transformation("part", "categorical")),
    )
    model, report = train(asked)
    assert report["rows"] == {"training": 600, "validation": 200, "test": 200}
    assert [encoder.column for encoder in model.encoders] == ["age", "plan", "since", "note"]
    assert report["metrics"]["rSquared"] > 0.8
    assert set(report["metrics"]) == {
        "rootMeanSquaredError", "meanAbsoluteError", "meanAbsolutePercentageError", "rSquared",
        "rootMeanSquaredLogError",
    }  # fmt: skip
    [prediction] = model.predict([{"age": 40, "plan": "plus", "since": None, "note": ""}])
    assert abs(prediction["value"] - 130) < 15
    assert prediction["lower_bound"] < prediction["value"] < prediction["upper_bound"]


def test_numbers_too_large_to_square_leave_their_metrics_out(tmp_path: Path) -> None:
    rows = [{**row, "spend": f"{row['spend']}e200"} for row in customers()]
    said = {"target": "spend", "prediction_type": "regression", "transformations": FEATURES[:1]}
    with np.errstate(all="ignore"):
        _, report = train(specification(tmp_path, rows, **said))
    assert all(math.isfinite(value) for value in report["metrics"].values())


def test_many_classes_have_a_score_each(tmp_path: Path) -> None:
    rows = customers()
    rows[0]["plan"] = "platinum"  # once: in one set only
    transformations = tuple(each for each in FEATURES if each.column != "plan")
    asked = specification(tmp_path, rows, target="plan", transformations=transformations)
    model, report = train(asked)
    [prediction] = model.predict([{"age": 30, "since": None, "note": ""}])
    assert prediction["classes"] == ["basic", "gold", "platinum", "plus"]
    assert sum(prediction["scores"]) == pytest.approx(1)
    assert len(report["metrics"]["confusionMatrix"]["rows"]) == 4


@pytest.mark.parametrize(
    ("change", "said", "error"),
    [
        (lambda rows: rows[:999], {}, "999 rows; AutoML needs at least 1000"),
        (lambda rows: [{**rows[0], "churned": ""}, *rows[1:]], {}, "empty in row 1"),
        (lambda rows: [{**row, "churned": "no"} for row in rows], {}, "1 distinct values"),
        (None, {"target": "spend"}, "distinct values"),
        (None, {"target": "plan", "objective": "maximize-au-roc"}, "is for two classes"),
        (None, {"prediction_type": "regression"}, "regression takes numbers"),
        (None, {"weight": "plan"}, "weight column 'plan' must have numbers"),
        (None, {"transformations": (Transformation("mood", "auto"),)}, "no column 'mood'"),
        (
            None,
            {"transformations": (Transformation("weight", "auto"),), "weight": "weight"},
            "no f",
        ),
        (None, {"split": Split("predefined", key="plan")}, "training set is empty"),
        (None, {"split": Split("fraction", (0.9, 0.1, 0))}, "test set is empty"),
        (None, {"split": Split("stratified", key="mood")}, "no column 'mood'"),
    ],
)
def test_data_that_automl_would_not_train_on_are_refused(
    tmp_path: Path, change: Any, said: dict[str, Any], error: str
) -> None:
    rows = customers()
    if said.get("target") == "plan":
        said = {**said, "transformations": FEATURES[:1]}
    with pytest.raises((RefusedError, TableError), match=error):
        train(specification(tmp_path, change(rows) if change else rows, **said))


def test_rows_with_invalid_numbers_train_only_where_they_are_allowed(tmp_path: Path) -> None:
    sizes = []
    for allowed in (False, True):
        age = Transformation("age", "numeric", invalid_allowed=allowed)
        model, report = train(specification(tmp_path, customers(), transformations=(age,)))
        sizes.append(sum(report["rows"].values()))
        if allowed:
            assert len(model.predict([{"age": None}])) == 1
        else:
            with pytest.raises(InstanceError, match="'age' of instance 0 is ''"):
                model.predict([{"age": None}])
    assert 970 < sizes[0] < 1000
    assert sizes[1] == 1000


def test_instances_that_cannot_be_predicted_are_refused(tmp_path: Path) -> None:
    model, _ = train(specification(tmp_path, customers(), transformations=FEATURES[:1]))
    for instance, error in (
        ([1], "must be an object"),
        ({}, "has no column 'age'"),
        ({"age": "old"}, "'age' of instance 0 is 'old', which is not numeric"),
        ({"age": [1]}, "must be a string"),
    ):
        with pytest.raises(InstanceError, match=error):
            model.predict([instance])
    assert model.predict([]) == []
    assert model.predict([{"age": "30"}]) == model.predict([{"age": 30.0, "more": 1}])


def test_what_is_no_model_is_not_loaded() -> None:
    with pytest.raises(ValueError, match="not a model"):
        TabularModel.load(json.dumps({"format": "something else"}).encode())
