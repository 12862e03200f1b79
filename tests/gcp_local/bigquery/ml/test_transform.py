"""The TRANSFORM clause and the preprocessing functions.

Examples and results are those of Google's documentation of each function, below
https://cloud.google.com/bigquery/docs/reference/standard-sql/bigqueryml-syntax-….
"""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from google.api_core.exceptions import BadRequest, GoogleAPICallError
from google.cloud.bigquery import Client
from google.cloud.storage import Bucket

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.ml.preprocessing import Item, frozen, inlined
from tests.gcp_local.bigquery.ml.conftest import create
from tests.gcp_local.emulators import Emulator
from tests.gcp_local.vertex.models.deploying import Vertex

NULL_TO_D = [None, "a", "b", "b", "c", "c", "c", "d", "d"]
DOCUMENTED: list[tuple[str, list[Any], list[Any]]] = [
    ("ML.STANDARD_SCALER(f) OVER()", [1, 3, 5], [-1.0, 0.0, 1.0]),
    ("ML.MIN_MAX_SCALER(f) OVER()", [1, 2, 3, 4, 5], [0.0, 0.25, 0.5, 0.75, 1.0]),
    ("ML.MAX_ABS_SCALER(f) OVER()", [0, -1, 2, -3, 4], [0.0, -0.25, 0.5, -0.75, 1.0]),
    ("ML.ROBUST_SCALER(f) OVER()", [1, 2, 3, 4, 5], [-1.0, -0.5, 0.0, 0.5, 1.0]),
    (
        "ML.IMPUTER(f, 'mean') OVER()",
        [None, -3, -3, -3, 1, 2, 3, 4, 5],
        [0.75, -3.0, -3.0, -3.0, 1.0, 2.0, 3.0, 4.0, 5.0],
    ),
    ("ML.IMPUTER(f, 'most_frequent') OVER()", [None, "a", "c", "c"], ["c", "a", "c", "c"]),
    ("ML.LABEL_ENCODER(f, 2, 2) OVER()", NULL_TO_D, [0, 0, 1, 1, 2, 2, 2, 0, 0]),
    (
        "ML.ONE_HOT_ENCODER(f, 'most_frequent', 10, 0) OVER()",
        NULL_TO_D,
        [
            [{"index": index, "value": 0.0 if index == 3 else 1.0}]
            for index in (0, 1, 2, 2, 3, 3, 3, 4, 4)
        ],
    ),
    (
        "ML.QUANTILE_BUCKETIZE(f, 3) OVER()",
        [1, 2, 3, 4, 5],
        ["bin_1", "bin_2", "bin_2", "bin_3", "bin_3"],
    ),
    (
        "ML.QUANTILE_BUCKETIZE(f, 3, 'bucket_ranges') OVER()",
        [1, 2, 3, 4, 5],
        ["(-inf, 2)", "[2, 4)", "[2, 4)", "[4, +inf)", "[4, +inf)"],
    ),
    ("ML.BUCKETIZE(f, [1, 2, 3])", [2.5, 0, None], ["bin_3", "bin_1", None]),
    ("ML.BUCKETIZE(f, [1, 2, 3], TRUE)", [2.5, 0], ["bin_2", "bin_1"]),
    ("ML.BUCKETIZE(f, [1, 2, 3], FALSE, 'bucket_ranges')", [2.5, 9], ["[2, 3)", "[3, +inf)"]),
    (
        "ML.BUCKETIZE(f, [1, 2, 3], FALSE, 'bucket_ranges_json')",
        [2.5],
        ['{"start": "2", "end": "3"}'],
    ),
    (
        "ML.FEATURE_CROSS(STRUCT(f AS f1, 'b' AS f2, 'c' AS f3))",
        ["a"],
        [{"f1_f2": "a_b", "f1_f3": "a_c", "f2_f3": "b_c"}],
    ),
    (
        "ML.POLYNOMIAL_EXPAND(STRUCT(f AS f1, 3 AS f2))",
        [2],
        [{"f1": 2.0, "f1_f1": 4.0, "f1_f2": 6.0, "f2": 3.0, "f2_f2": 9.0}],
    ),
    (
        "ML.BUCKETIZE(ML.IMPUTER(f, 'median') OVER(), [2])",
        [None, 1, 2, 5],
        ["bin_2", "bin_1", "bin_2", "bin_2"],
    ),
]


@pytest.mark.parametrize(("sql", "values", "wanted"), DOCUMENTED, ids=[d[0] for d in DOCUMENTED])
def test_a_function_gives_what_google_documents(
    warehouse: Client, sql: str, values: list[Any], wanted: list[Any]
) -> None:
    (item,) = frozen([Item("", sql)], lambda _: values)
    rows = [f"STRUCT({_literal(value)} AS f, {at} AS n)" for at, value in enumerate(values)]
    query = f"SELECT ({item.sql}) AS found FROM UNNEST([{', '.join(rows)}]) ORDER BY n"
    found = [row["found"] for row in warehouse.query_and_wait(query)]
    assert found == (pytest.approx(wanted) if isinstance(wanted[0], float) else wanted)


def _literal(value: Any) -> str:
    return "NULL" if value is None else f"'{value}'" if isinstance(value, str) else str(value)


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("ML.STANDARD_SCALER(f)", r"needs an OVER\(\) clause"),
        ("ML.STANDARD_SCALER(f, 2) OVER()", "wrong number of arguments"),
        ("ML.STANDARD_SCALER(f) OVER(PARTITION BY g)", r"an empty OVER\(\)"),
        ("ML.BUCKETIZE(f, [3, 1])", "ascending"),
        ("ML.BUCKETIZE(f, [1]) OVER()", "no OVER"),
        ("ML.BUCKETIZE(f, [1], FALSE, 'names')", "must be one of"),
        ("ML.IMPUTER(f, 'mode') OVER()", "must be one of mean, median, most_frequent"),
        ("ML.FEATURE_CROSS(f)", "STRUCT"),
        ("ML.FOO(f)", "Function not found: ML.FOO"),
        ("ML.NGRAMS(f, [1])", "lacks the function ML.NGRAMS"),
    ],
)
def test_a_wrong_use_is_refused(sql: str, message: str) -> None:
    with pytest.raises(BigQueryError, match=message):
        frozen([Item("", sql)], lambda _: [1, 2, 3])


def test_functions_that_learn_nothing_can_stand_anywhere() -> None:
    assert "ML" not in inlined("ML.BUCKETIZE(x, [1, 2])")
    with pytest.raises(BigQueryError, match="outside of TRANSFORM"):
        inlined("ML.MIN_MAX_SCALER(x) OVER()")


@pytest.fixture(scope="module")
def transformed(warehouse: Client) -> Client:
    create(
        warehouse,
        "d.transformed",
        "SELECT * EXCEPT(since, next_spend) FROM d.customers",
        transform=(
            "ML.STANDARD_SCALER(spend) OVER() AS spend_scaled,"
            " ML.QUANTILE_BUCKETIZE(age, 4) OVER() AS age_bucket,"
            " ML.ONE_HOT_ENCODER(plan) OVER() AS plan_code,"
            " * EXCEPT(age, spend, plan, vip)"
        ),
        model_type="LOGISTIC_REG",
        input_label_cols=["left"],
        data_split_method="CUSTOM",
        data_split_col="held",
    )
    return warehouse


def test_predictions_are_transformed_by_what_the_training_learned(transformed: Client) -> None:
    call = "ML.PREDICT(MODEL d.transformed, (SELECT 40 AS age, 50.0 AS spend, 'basic' AS plan))"
    (alone,) = transformed.query_and_wait(f"SELECT * FROM {call}")
    together = list(
        transformed.query_and_wait(
            "SELECT * FROM ML.PREDICT(MODEL d.transformed, (SELECT 40 AS age, 50.0 AS spend,"
            " 'basic' AS plan UNION ALL SELECT age, spend, plan FROM d.customers))"
        )
    )
    assert len(together) == 601
    (same,) = [
        row for row in together
        if (row["age"], row["spend"], row["plan"]) == (40, 50.0, "basic")
    ]  # fmt: skip
    assert same["predicted_left_probs"] == alone["predicted_left_probs"]
    assert list(alone.keys()) == ["predicted_left", "predicted_left_probs", "age", "spend", "plan"]


def test_the_model_knows_its_inputs_and_its_features(transformed: Client) -> None:
    model = transformed.get_model("d.transformed")
    inputs = [column["name"] for column in model._properties["featureColumns"]]
    assert inputs == ["age", "spend", "plan"]
    weights = transformed.query_and_wait("SELECT * FROM ML.WEIGHTS(MODEL d.transformed)")
    assert [row["processed_input"] for row in weights] == [
        "spend_scaled", "age_bucket", "plan_code", "__INTERCEPT__",
    ]  # fmt: skip
    info = transformed.query_and_wait("SELECT input FROM ML.FEATURE_INFO(MODEL d.transformed)")
    assert [row["input"] for row in info] == inputs
    (kept,) = transformed.query_and_wait("SELECT * FROM ML.EVALUATE(MODEL d.transformed)")
    (again,) = transformed.query_and_wait(
        "SELECT * FROM ML.EVALUATE(MODEL d.transformed, (SELECT * FROM d.customers WHERE held))"
    )
    assert dict(kept) == pytest.approx(dict(again))
    with pytest.raises(BadRequest, match="Column plan is not found"):
        transformed.query_and_wait(
            "SELECT * FROM ML.PREDICT(MODEL d.transformed, (SELECT 1 AS age, 2.0 AS spend))"
        )


def test_a_model_with_a_transformation_is_not_exported_without_it(
    transformed: Client, bucket: Bucket
) -> None:
    with pytest.raises(GoogleAPICallError, match=r"lacks the export .* TRANSFORM") as refused:
        transformed.query_and_wait(f"EXPORT MODEL d.transformed OPTIONS(uri='gs://{bucket.name}')")
    assert refused.value.code == 501
    assert list(bucket.list_blobs()) == []


def test_importance_is_that_of_the_columns_before_the_transformation(warehouse: Client) -> None:
    create(
        warehouse,
        "d.transformed_trees",
        "SELECT age, spend, plan, vip, `left` FROM d.customers",
        transform="age + spend AS both, ML.BUCKETIZE(age, [50]) AS bucket, plan, vip, `left`",
        model_type="BOOSTED_TREE_CLASSIFIER",
        input_label_cols=["left"],
        max_iterations=3,
    )
    found = {
        row["feature"]: (row["importance_weight"], row["importance_gain"])
        for row in warehouse.query_and_wait(
            "SELECT * FROM ML.FEATURE_IMPORTANCE(MODEL d.transformed_trees)"
        )
    }
    assert list(found) == ["age", "spend", "plan", "vip"]
    # Of `spend` there is one feature; of `age` that one, too, and the bucket.
    assert found["age"][0] > found["spend"][0] > 0
    assert found["age"][1] > found["spend"][1]


def test_an_endpoint_transforms_what_it_is_asked(transformed: Client, emulator: Emulator) -> None:
    name = f"m_{uuid.uuid4().hex[:12]}"
    transformed.query_and_wait(
        f"ALTER MODEL d.transformed SET OPTIONS(vertex_ai_model_id='{name}')"
    )
    vertex = Vertex(emulator, f"projects/{transformed.project}/locations/us-central1")
    endpoint = vertex.endpoint()
    deployed = vertex.deploy(endpoint, f"{vertex.parent}/models/{name}", {"0": 100})
    instances = [
        {"age": 40, "spend": 50.0, "plan": "basic"},
        {"age": None, "spend": 9, "plan": "it's"},
    ]
    answer = vertex.predictions.predict(endpoint=endpoint, instances=instances)
    wanted = transformed.query_and_wait(
        "SELECT * FROM ML.PREDICT(MODEL d.transformed, (SELECT 40 AS age, 50.0 AS spend,"
        " 'basic' AS plan UNION ALL SELECT NULL, 9, 'it\\'s')) ORDER BY spend DESC"
    )
    for prediction, row in zip(answer.predictions, wanted, strict=True):
        shares = {each["label"]: each["prob"] for each in row["predicted_left_probs"]}
        said = dict(prediction)["left_probs"]
        assert list(said) == pytest.approx([shares["no"], shares["yes"]])
    with pytest.raises(BadRequest, match="'age' of type INT64 cannot be True"):
        vertex.predictions.predict(
            endpoint=endpoint, instances=[{"age": True, "spend": 1.0, "plan": "plus"}]
        )
    vertex.undeploy(endpoint, deployed)


def test_functions_can_stand_in_any_query(warehouse: Client) -> None:
    found = warehouse.query_and_wait(
        "SELECT f, ML.BUCKETIZE(f + 1, [3, 5]) AS bucket, ML.MIN_MAX_SCALER(f) OVER() AS share,"
        " ML.STANDARD_SCALER(f) OVER() AS score, ML.FEATURE_CROSS(STRUCT('a' AS x,"
        " CAST(f AS STRING) AS y)) AS crossed FROM UNNEST([1, 2, 3, 4, 5]) AS f ORDER BY f"
    )
    assert [dict(row) for row in found] == [
        {
            "f": f,
            "bucket": bucket,
            "share": (f - 1) / 4,
            "score": pytest.approx((f - 3) / 1.5811388300841898),
            "crossed": {"x_y": f"a_{f}"},
        }
        for f, bucket in zip(
            range(1, 6), ("bin_1", "bin_2", "bin_2", "bin_3", "bin_3"), strict=True
        )
    ]
    for call, message in (
        ("ML.QUANTILE_BUCKETIZE(f, 3) OVER()", "outside of TRANSFORM"),
        ("ML.BUCKETIZE(f)", "array_split_points"),
        ("ML.FOO(f)", "Function not found: ML.FOO"),
    ):
        with pytest.raises(GoogleAPICallError, match=message):
            warehouse.query_and_wait(f"SELECT {call} FROM UNNEST([1, 2]) AS f")
