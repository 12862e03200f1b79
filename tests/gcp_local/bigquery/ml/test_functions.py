"""BigQuery ML's table functions: columns and types as Google documents them, and what they say.

Documentation, below https://cloud.google.com/bigquery/docs/reference/standard-sql/:
bigqueryml-syntax-evaluate, -predict, -confusion, -roc, -feature, -train, -weights,
-explain-predict, -importance, -global-explain.
"""

from __future__ import annotations

from typing import Any

import pytest
from google.api_core.exceptions import BadRequest, GoogleAPICallError, NotFound
from google.cloud.bigquery import Client

CLASSIFICATION = "precision:F recall:F accuracy:F f1_score:F log_loss:F roc_auc:F"
REGRESSION = (
    "mean_absolute_error:F mean_squared_error:F mean_squared_log_error:F median_absolute_error:F"
    " r2_score:F explained_variance:F"
)
INPUT = "age:I spend:F plan:S vip:B held:B left:S"
PREDICTED = f"predicted_left:S predicted_left_probs:A[label:S,prob:F] {INPUT}"
EXPLAINED = (
    "predicted_left:S probability:F top_feature_attributions:A[feature:S,attribution:F]"
    f" baseline_prediction_value:F prediction_value:F approximation_error:F {INPUT}"
)
CURVE = (
    "threshold:F recall:F false_positive_rate:F true_positives:I false_positives:I"
    " true_negatives:I false_negatives:I"
)
TRAINING = "training_run:I iteration:I loss:F eval_loss:F learning_rate:F duration_ms:I"
FEATURES = "input:S min:F max:F mean:F median:F stddev:F category_count:I null_count:I dimension:I"
WEIGHTS = "processed_input:S weight:F category_weights:A[category:S,weight:F]"
ROWS = "(SELECT age, spend, plan, vip, held, `left` FROM d.customers)"
DOCUMENTED = {
    "ML.EVALUATE(MODEL d.logistic)": CLASSIFICATION,
    f"ML.EVALUATE(MODEL d.trees, {ROWS}, STRUCT(0.4 AS threshold))": CLASSIFICATION,
    "ML.EVALUATE(MODEL d.several)": CLASSIFICATION,
    "ML.EVALUATE(MODEL d.linear)": REGRESSION,
    "ML.EVALUATE(MODEL d.linear, TABLE d.customers)": REGRESSION,
    f"ML.PREDICT(MODEL d.logistic, {ROWS})": PREDICTED,
    f"ML.PREDICT(MODEL d.trees, {ROWS}, STRUCT(0.9 AS threshold))": PREDICTED,
    "ML.PREDICT(MODEL d.linear, (SELECT age, spend FROM d.customers))": (
        "predicted_next_spend:F age:I spend:F"
    ),
    f"ML.EXPLAIN_PREDICT(MODEL d.logistic, {ROWS})": EXPLAINED,
    f"ML.EXPLAIN_PREDICT(MODEL d.trees, {ROWS}, STRUCT(2 AS top_k_features))": EXPLAINED,
    "ML.EXPLAIN_PREDICT(MODEL d.linear, (SELECT age, spend FROM d.customers))": (
        "predicted_next_spend:F top_feature_attributions:A[feature:S,attribution:F]"
        " baseline_prediction_value:F prediction_value:F approximation_error:F age:I spend:F"
    ),
    "ML.CONFUSION_MATRIX(MODEL d.logistic)": "expected_label:S no:I yes:I",
    f"ML.CONFUSION_MATRIX(MODEL d.trees, {ROWS}, STRUCT(0.6 AS threshold))": (
        "expected_label:S no:I yes:I"
    ),
    "ML.CONFUSION_MATRIX(MODEL d.several)": "expected_label:S basic:I gold:I plus:I",
    "ML.ROC_CURVE(MODEL d.logistic)": CURVE,
    f"ML.ROC_CURVE(MODEL d.trees, {ROWS}, [0.25, 0.5])": CURVE,
    "ML.FEATURE_INFO(MODEL d.logistic)": FEATURES,
    "ML.TRAINING_INFO(MODEL d.trees)": TRAINING,
    "ML.WEIGHTS(MODEL d.logistic)": WEIGHTS,
    "ML.WEIGHTS(MODEL d.linear, STRUCT(TRUE AS standardize))": WEIGHTS,
    "ML.WEIGHTS(MODEL d.several)": f"{WEIGHTS} class_label:S",
    "ML.FEATURE_IMPORTANCE(MODEL d.trees)": (
        "feature:S importance_weight:F importance_gain:F importance_cover:F"
    ),
    "ML.GLOBAL_EXPLAIN(MODEL d.linear)": "feature:S attribution:F",
    "ML.GLOBAL_EXPLAIN(MODEL d.trees, STRUCT(TRUE AS class_level_explain))": (
        "class_name:S feature:S attribution:F"
    ),
}


def rows(client: Client, call: str, rest: str = "") -> list[dict[str, Any]]:
    return [dict(row) for row in client.query_and_wait(f"SELECT * FROM {call} {rest}")]


@pytest.mark.parametrize("call", DOCUMENTED)
def test_the_columns_are_the_documented_ones(warehouse: Client, call: str) -> None:
    found = warehouse.query_and_wait(f"SELECT * FROM {call}")
    assert " ".join(map(_shown, found.schema)) == DOCUMENTED[call]
    assert next(iter(found), None) is not None


def _shown(field: Any) -> str:
    if field.field_type == "RECORD":
        inner = ",".join(map(_shown, field.fields))
        return f"{field.name}:{'A' if field.mode == 'REPEATED' else 'R'}[{inner}]"
    return f"{field.name}:{field.field_type[0]}"


def test_an_evaluation_without_data_is_that_of_the_held_rows(warehouse: Client) -> None:
    held = "(SELECT * FROM d.customers WHERE held)"
    for model in ("logistic", "trees"):
        (kept,) = rows(warehouse, f"ML.EVALUATE(MODEL d.{model})")
        (again,) = rows(warehouse, f"ML.EVALUATE(MODEL d.{model}, {held})")
        assert kept == pytest.approx(again, rel=1e-6)
    assert kept["roc_auc"] > 0.8
    (linear,) = rows(warehouse, f"ML.EVALUATE(MODEL d.linear, {held})")
    assert linear == pytest.approx(rows(warehouse, "ML.EVALUATE(MODEL d.linear)")[0])
    assert linear["r2_score"] > 0.95


def test_predictions_follow_the_probabilities_and_the_threshold(warehouse: Client) -> None:
    usual = rows(warehouse, f"ML.PREDICT(MODEL d.trees, {ROWS})")
    strict = rows(warehouse, f"ML.PREDICT(MODEL d.trees, {ROWS}, STRUCT(0.95 AS threshold))")
    assert len(usual) == 600
    for row in (*usual, *strict):
        assert [each["label"] for each in row["predicted_left_probs"]] == ["yes", "no"]
        assert sum(each["prob"] for each in row["predicted_left_probs"]) == pytest.approx(1)
    for found, least in ((usual, 0.5), (strict, 0.95)):
        for row in found:
            said = row["predicted_left_probs"][0]["prob"] >= least
            assert row["predicted_left"] == ("yes" if said else "no")
    assert usual != strict


def test_the_matrix_and_the_curve_count_the_same_rows(warehouse: Client) -> None:
    no, yes = rows(warehouse, "ML.CONFUSION_MATRIX(MODEL d.logistic)")
    (point,) = rows(
        warehouse, "ML.ROC_CURVE(MODEL d.logistic, (SELECT * FROM d.customers WHERE held), [0.5])"
    )
    assert (no["expected_label"], yes["expected_label"]) == ("no", "yes")
    assert point["true_positives"] == yes["yes"]
    assert point["false_positives"] == no["yes"]
    assert point["true_negatives"] == no["no"]
    assert point["false_negatives"] == yes["no"]
    assert point["recall"] == pytest.approx(yes["yes"] / (yes["yes"] + yes["no"]))
    curve = rows(warehouse, "ML.ROC_CURVE(MODEL d.logistic)")
    assert sorted(curve, key=lambda each: -each["threshold"]) == curve
    assert len(curve) > 20
    assert curve[-1]["recall"] == 1


@pytest.mark.parametrize("model", ["logistic", "trees", "linear", "several"])
def test_attributions_add_up_to_the_prediction(warehouse: Client, model: str) -> None:
    data = "(SELECT * EXCEPT(next_spend), spend + next_spend AS both FROM d.customers LIMIT 20)"
    call = f"ML.EXPLAIN_PREDICT(MODEL d.{model}, {data}, STRUCT(20 AS top_k_features))"
    found = rows(warehouse, call)
    assert len(found) == 20
    for row in found:
        added = sum(each["attribution"] for each in row["top_feature_attributions"])
        wanted = row["prediction_value"] - row["baseline_prediction_value"]
        assert added == pytest.approx(wanted, rel=1e-4, abs=1e-4)


def test_weights_are_those_of_the_data_or_of_standardised_data(warehouse: Client) -> None:
    plain = {row["processed_input"]: row for row in rows(warehouse, "ML.WEIGHTS(MODEL d.linear)")}
    # next_spend is 2 * spend + age and some noise; some ages are not known.
    assert plain["spend"]["weight"] == pytest.approx(2, abs=0.1)
    assert plain["age"]["weight"] == pytest.approx(1, abs=0.1)
    call = "ML.WEIGHTS(MODEL d.linear, STRUCT(TRUE AS standardize))"
    scaled = {row["processed_input"]: row["weight"] for row in rows(warehouse, call)}
    (info,) = [
        row for row in rows(warehouse, "ML.FEATURE_INFO(MODEL d.linear)") if row["input"] == "spend"
    ]
    assert scaled["spend"] == pytest.approx(2 * info["stddev"], rel=0.1)
    assert set(plain) == set(scaled) == {"age", "spend", "__INTERCEPT__"}
    (plan,) = [
        row for row in rows(warehouse, "ML.WEIGHTS(MODEL d.logistic)")
        if row["processed_input"] == "plan"
    ]  # fmt: skip
    assert plan["weight"] is None
    assert [each["category"] for each in plan["category_weights"]] == [
        "_null_filler",
        "basic",
        "gold",
        "plus",
    ]


def test_features_are_described_as_they_are(warehouse: Client) -> None:
    info = {row["input"]: row for row in rows(warehouse, "ML.FEATURE_INFO(MODEL d.logistic)")}
    (truth,) = warehouse.query_and_wait(
        "SELECT MIN(age) AS low, MAX(age) AS high, AVG(age) AS mean, STDDEV(age) AS deviation,"
        " COUNTIF(age IS NULL) AS unknown, COUNTIF(plan IS NULL) AS planless FROM d.customers"
    )
    age = info["age"]
    assert (age["min"], age["max"], age["null_count"]) == (truth.low, truth.high, truth.unknown)
    assert age["mean"] == pytest.approx(truth.mean)
    assert age["stddev"] == pytest.approx(truth.deviation)
    assert age["category_count"] is None
    assert info["plan"]["category_count"] == 3
    assert info["plan"]["null_count"] == truth.planless
    assert info["vip"]["category_count"] == 2
    assert set(info) == {"age", "spend", "plan", "vip"}


def test_the_iterations_of_a_training_are_told_with_their_losses(warehouse: Client) -> None:
    for model in ("logistic", "trees"):
        found = rows(warehouse, f"ML.TRAINING_INFO(MODEL d.{model})")
        assert [row["iteration"] for row in found] == list(range(len(found)))[::-1]
        assert found[0]["loss"] < found[-1]["loss"]
        assert all(row["eval_loss"] > 0 for row in found)
        (kept,) = rows(warehouse, f"ML.EVALUATE(MODEL d.{model})")
        assert found[0]["eval_loss"] == pytest.approx(kept["log_loss"], rel=1e-4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            "ML.PREDICT(MODEL d.logistic, (SELECT age, spend, plan FROM d.customers))",
            "Column vip is not found in the input data to the PREDICT function",
        ),
        (
            "ML.PREDICT(MODEL d.logistic, (SELECT 'x' AS age, spend, plan, vip FROM d.customers))",
            "Column age has type STRING, but the model expects INT64",
        ),
        (f"ML.PREDICT(MODEL d.logistic, {ROWS}, STRUCT(0.5 AS thresh))", "thresh"),
        (f"ML.PREDICT(MODEL d.logistic, {ROWS}, STRUCT(1.5 AS threshold))", "between 0 and 1"),
        (f"ML.PREDICT(MODEL d.logistic, {ROWS}, STRUCT('a' AS threshold))", "wrong type"),
        ("ML.PREDICT(MODEL d.logistic)", "input data is missing"),
        ("ML.EVALUATE(MODEL d.logistic, STRUCT(0.5 AS threshold))", "together with input data"),
        (
            "ML.EVALUATE(MODEL d.logistic, (SELECT age, spend, plan, vip FROM d.customers))",
            "Label column left is not found",
        ),
        (
            "ML.EVALUATE(MODEL d.logistic, (SELECT age, spend, plan, vip, 'maybe' AS `left`"
            " FROM d.customers))",
            "'maybe'",
        ),
        ("ML.ROC_CURVE(MODEL d.several)", "binary"),
        ("ML.CONFUSION_MATRIX(MODEL d.linear)", "not supported for models of the type LINEAR_REG"),
        ("ML.FEATURE_IMPORTANCE(MODEL d.linear)", "not supported for models of the type"),
        ("ML.WEIGHTS(MODEL d.trees)", "not supported for models of the type"),
        ("ML.FOO(MODEL d.trees)", "Table-valued function not found: ML.FOO"),
        (
            "ML.PREDICT(MODEL d.linear, (SELECT age, spend, 1 AS predicted_next_spend"
            " FROM d.customers))",
            "Duplicate column names",
        ),
    ],
)
def test_a_wrong_call_is_refused(warehouse: Client, call: str, message: str) -> None:
    with pytest.raises(BadRequest, match=message):
        rows(warehouse, call)


def test_what_the_stand_in_lacks_says_so(warehouse: Client) -> None:
    for call in (
        "ML.FORECAST(MODEL d.linear)",
        f"ML.PREDICT(MODEL d.logistic, {ROWS}, STRUCT(1 AS trial_id))",
    ):
        with pytest.raises(GoogleAPICallError, match="embedded cloud's BigQuery lacks") as refused:
            rows(warehouse, call)
        assert refused.value.code == 501


def test_a_model_that_is_not_there_is_not_found(warehouse: Client) -> None:
    with pytest.raises(NotFound, match=r"Not found: Model .*:d.absent"):
        rows(warehouse, "ML.EVALUATE(MODEL d.absent)")


@pytest.mark.parametrize("model", ["logistic", "trees", "several"])
def test_of_no_rows_nothing_is_said(warehouse: Client, model: str) -> None:
    empty = "(SELECT *, spend AS both FROM d.customers WHERE FALSE)"
    for name in ("PREDICT", "EXPLAIN_PREDICT"):
        assert rows(warehouse, f"ML.{name}(MODEL d.{model}, {empty})") == []
    (found,) = rows(warehouse, f"ML.EVALUATE(MODEL d.{model}, {empty})")
    assert set(found.values()) == {None}
