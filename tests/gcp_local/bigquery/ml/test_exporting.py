"""Regressions are exported as SavedModels, and their graphs predict what ML.PREDICT does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from google.cloud.bigquery import Client
from google.cloud.storage import Bucket

from gcp_local.bigquery.ml.savedmodel.messages import DataType, SavedModel

# NULLs, a plan that was never seen, and one whose name is that of NULL's category.
LOGISTIC = """
    SELECT 30 AS age, 50.5 AS spend, 'basic' AS plan, TRUE AS vip UNION ALL
    SELECT 71, 5.25, 'gold', FALSE UNION ALL SELECT NULL, NULL, NULL, NULL UNION ALL
    SELECT 44, NULL, 'platinum', TRUE UNION ALL SELECT NULL, 99.0, 'plus', NULL UNION ALL
    SELECT 20, 20.0, '_null_filler', FALSE UNION ALL SELECT 50, 20.0, '', FALSE
"""
LINEAR = "SELECT 30 AS age, 50.5 AS spend UNION ALL SELECT NULL, 7.0 UNION ALL SELECT 80, NULL"
SEVERAL = """
    SELECT 30 AS age, 120.5 AS both, 'yes' AS `left` UNION ALL SELECT NULL, NULL, NULL UNION ALL
    SELECT 66, 310.0, 'maybe' UNION ALL SELECT 41, NULL, 'no'
"""
MODELS = [("logistic", LOGISTIC), ("linear", LINEAR), ("several", SEVERAL)]


def exported(client: Client, bucket: Bucket, name: str) -> bytes:
    client.query_and_wait(f"EXPORT MODEL d.{name} OPTIONS(uri='gs://{bucket.name}/{name}/')")
    assert [blob.name for blob in bucket.list_blobs()] == [f"{name}/saved_model.pb"]
    content: bytes = bucket.blob(f"{name}/saved_model.pb").download_as_bytes()
    return content


def predicted(client: Client, name: str, query: str) -> tuple[list[Any], list[dict[str, Any]]]:
    """Give rows, and what ML.PREDICT says of them."""
    found = client.query_and_wait(f"SELECT * FROM ML.PREDICT(MODEL d.{name}, ({query}))")
    rows = [dict(row) for row in found]
    own = {"logistic": "left", "linear": "next_spend", "several": "plan"}[name]
    said = []
    for row in rows:
        shares = {each["label"]: each["prob"] for each in row.get(f"predicted_{own}_probs", ())}
        answer = {f"predicted_{own}": [row[f"predicted_{own}"]]}
        if shares:
            answer[f"{own}_values"] = sorted(shares)
            answer[f"{own}_probs"] = [shares[label] for label in sorted(shares)]
        said.append(answer)
    return rows, said


def fed(signature: Any, rows: Sequence[Mapping[str, Any]]) -> dict[str, np.ndarray[Any, Any]]:
    """Give rows as a client of the exported model does."""
    inputs = {}
    for name, info in signature.inputs.items():
        values = [row[name] for row in rows]
        if info.dtype == DataType.DT_DOUBLE:
            inputs[name] = np.array([np.nan if each is None else each for each in values], float)
        else:
            texts = [str(each).lower() if isinstance(each, bool) else each for each in values]
            inputs[name] = np.array(["_null_filler" if t is None else t for t in texts], object)
    return inputs


def compare(found: Mapping[str, Any], said: Sequence[Mapping[str, Any]]) -> None:
    assert set(found) == set(said[0])
    for name, values in found.items():
        wanted = np.array([each[name] for each in said])
        if values.dtype == object:
            texts = [[getattr(v, "decode", lambda v=v: v)() for v in row] for row in values]
            assert texts == wanted.tolist()
        else:
            np.testing.assert_allclose(values, wanted, rtol=1e-9, atol=1e-12)


# What TensorFlow documents of the operations that the graphs consist of.
OPERATIONS: dict[str, Any] = {
    "AddV2": np.add,
    "ArgMax": lambda value, axis: value.argmax(int(axis)),
    "ConcatV2": lambda *given: np.concatenate(given[:-1], int(given[-1])),
    "Equal": np.equal,
    "ExpandDims": lambda value, axis: np.expand_dims(value, int(axis)),
    "GatherV2": lambda values, places, axis: values.take(places, int(axis)),
    "GreaterEqual": np.greater_equal,
    "IsNan": np.isnan,
    "MatMul": np.matmul,
    "RealDiv": np.divide,
    "Select": np.where,
    "Shape": np.shape,
    "Sigmoid": lambda value: 1 / (1 + np.exp(-value)),
    "Softmax": lambda value: np.exp(value) / np.exp(value).sum(-1, keepdims=True),
    "Sub": np.subtract,
    "Tile": np.tile,
    "ZerosLike": np.zeros_like,
}
TYPES = {DataType.DT_DOUBLE: float, DataType.DT_INT32: np.int32, DataType.DT_INT64: np.int64}


def constant(tensor: Any) -> np.ndarray[Any, Any]:
    shape = [each.size for each in tensor.tensor_shape.dim]
    if tensor.dtype == DataType.DT_STRING:
        return np.array([text.decode() for text in tensor.string_val], object).reshape(shape)
    return np.frombuffer(tensor.tensor_content, TYPES[tensor.dtype]).reshape(shape)


def constants(meta: Any) -> dict[str, np.ndarray[Any, Any]]:
    nodes = [node for node in meta.graph_def.node if node.op == "Const"]
    return {node.name: constant(node.attr["value"].tensor) for node in nodes}


def computed(meta: Any, inputs: Mapping[str, Any]) -> dict[str, np.ndarray[Any, Any]]:
    """Run a graph by NumPy, node after node."""
    signature = meta.signature_def["serving_default"]
    known: dict[str, Any] = constants(meta)
    known |= {signature.inputs[name].name[:-2]: value for name, value in inputs.items()}
    for node in meta.graph_def.node:
        given = [known[name] for name in node.input]
        if node.op == "Cast":
            known[node.name] = given[0].astype(TYPES[node.attr["DstT"].type])
        elif node.op not in ("Const", "Placeholder"):
            known[node.name] = OPERATIONS[node.op](*given)
    return {name: known[info.name[:-2]] for name, info in signature.outputs.items()}


@pytest.mark.parametrize(("name", "query"), MODELS)
def test_the_exported_graph_predicts_what_the_model_does(
    warehouse: Client, bucket: Bucket, name: str, query: str
) -> None:
    (meta,) = SavedModel.FromString(exported(warehouse, bucket, name)).meta_graphs
    rows, said = predicted(warehouse, name, query)
    assert len(rows) > 2
    compare(computed(meta, fed(meta.signature_def["serving_default"], rows)), said)


@pytest.mark.parametrize(("name", "query"), MODELS)
def test_tensorflow_loads_the_exported_model_and_predicts_the_same(
    warehouse: Client, bucket: Bucket, tmp_path: Path, name: str, query: str
) -> None:
    tensorflow = pytest.importorskip("tensorflow", reason="TensorFlow is not installed: 270 MB")
    content = exported(warehouse, bucket, name)
    (tmp_path / "saved_model.pb").write_bytes(content)
    function = tensorflow.saved_model.load(str(tmp_path)).signatures["serving_default"]
    rows, said = predicted(warehouse, name, query)
    (meta,) = SavedModel.FromString(content).meta_graphs
    inputs = fed(meta.signature_def["serving_default"], rows)
    outputs = function(**{key: tensorflow.constant(each) for key, each in inputs.items()})
    compare({key: each.numpy() for key, each in outputs.items()}, said)
    for key, info in meta.signature_def["serving_default"].outputs.items():
        told = [each.size for each in info.tensor_shape.dim]
        outputs[key].shape.assert_is_compatible_with([None if n < 0 else n for n in told])


def test_the_signature_has_a_features_input_each_and_the_documented_outputs(
    warehouse: Client, bucket: Bucket
) -> None:
    saved = SavedModel.FromString(exported(warehouse, bucket, "logistic"))
    (meta,) = saved.meta_graphs
    assert saved.saved_model_schema_version == 1
    assert list(meta.meta_info_def.tags) == ["serve"]
    signature = meta.signature_def["serving_default"]
    assert signature.method_name == "tensorflow/serving/predict"

    def told(infos: Any) -> dict[str, tuple[str, list[int]]]:
        return {
            name: (DataType(info.dtype).name, [each.size for each in info.tensor_shape.dim])
            for name, info in infos.items()
        }

    assert told(signature.inputs) == {
        "age": ("DT_DOUBLE", [-1]),
        "spend": ("DT_DOUBLE", [-1]),
        "plan": ("DT_STRING", [-1]),
        "vip": ("DT_STRING", [-1]),
    }
    assert told(signature.outputs) == {
        "predicted_left": ("DT_STRING", [-1, 1]),
        "left_values": ("DT_STRING", [-1, 2]),
        "left_probs": ("DT_DOUBLE", [-1, 2]),
    }
    names = [node.name for node in meta.graph_def.node]
    assert len(set(names)) == len(names)


def test_the_graphs_constants_are_the_models_weights(warehouse: Client, bucket: Bucket) -> None:
    (meta,) = SavedModel.FromString(exported(warehouse, bucket, "logistic")).meta_graphs
    held = constants(meta)
    weighed = warehouse.query_and_wait("SELECT * FROM ML.WEIGHTS(MODEL d.logistic)")
    wanted = {row["processed_input"]: row for row in weighed}
    standardised = held["weights"][:2, 0]
    deviations = np.array([held["feature_0/deviation"], held["feature_1/deviation"]])
    np.testing.assert_allclose(
        standardised / deviations, [wanted["age"]["weight"], wanted["spend"]["weight"]]
    )
    categories = {each["category"]: each["weight"] for each in wanted["plan"]["category_weights"]}
    assert list(held["feature_2/levels"][0]) == ["_null_filler", "basic", "gold", "plus"]
    np.testing.assert_allclose(
        held["weights"][2:6, 0], [categories[level] for level in held["feature_2/levels"][0]]
    )
    means = np.array([held["feature_0/mean"], held["feature_1/mean"]])
    np.testing.assert_allclose(
        held["intercepts"][0] - (standardised * means / deviations).sum(),
        wanted["__INTERCEPT__"]["weight"],
    )


def test_an_extract_job_writes_the_same_file_as_the_statement(
    warehouse: Client, bucket: Bucket
) -> None:
    content = exported(warehouse, bucket, "linear")
    model = warehouse.get_model("d.linear")
    warehouse.extract_table(
        model, f"gs://{bucket.name}/job", source_type="Model", location="US"
    ).result()
    assert bucket.blob("job/saved_model.pb").download_as_bytes() == content
