"""The options of CREATE MODEL, held to Google's documentation."""

from __future__ import annotations

from typing import Any

import pytest

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.ml.options import OPTIONS, read_options

# Every option of the syntax in bigqueryml-syntax-create-glm and -create-boosted-tree.
DOCUMENTED = """
MODEL_TYPE OPTIMIZE_STRATEGY LEARN_RATE_STRATEGY LEARN_RATE LS_INIT_LEARN_RATE CALCULATE_P_VALUES
FIT_INTERCEPT CATEGORY_ENCODING_METHOD AUTO_CLASS_WEIGHTS CLASS_WEIGHTS ENABLE_GLOBAL_EXPLAIN
INPUT_LABEL_COLS L1_REG L2_REG MAX_ITERATIONS WARM_START EARLY_STOP MIN_REL_PROGRESS
DATA_SPLIT_METHOD DATA_SPLIT_EVAL_FRACTION DATA_SPLIT_TEST_FRACTION DATA_SPLIT_COL NUM_TRIALS
MAX_PARALLEL_TRIALS HPARAM_TUNING_ALGORITHM HPARAM_TUNING_OBJECTIVES MODEL_REGISTRY
VERTEX_AI_MODEL_ID VERTEX_AI_MODEL_VERSION_ALIASES KMS_KEY_NAME APPROX_GLOBAL_FEATURE_CONTRIB
BOOSTER_TYPE DART_NORMALIZE_TYPE NUM_PARALLEL_TREE MAX_TREE_DEPTH DROPOUT TREE_METHOD
MIN_TREE_CHILD_WEIGHT COLSAMPLE_BYTREE COLSAMPLE_BYLEVEL COLSAMPLE_BYNODE MIN_SPLIT_LOSS SUBSAMPLE
INSTANCE_WEIGHT_COL XGBOOST_VERSION
"""


def test_every_documented_option_is_known_and_no_other() -> None:
    assert {"MODEL_TYPE", *OPTIONS} == set(DOCUMENTED.split())


def test_what_is_not_given_is_as_documented() -> None:
    logistic = read_options({"model_type": "logistic_reg"})
    assert logistic.label == "label"
    assert (logistic["MAX_ITERATIONS"], logistic["L2_REG"]) == (20, 0)
    assert logistic["CATEGORY_ENCODING_METHOD"] == "ONE_HOT_ENCODING"
    trees = read_options({"MODEL_TYPE": "BOOSTED_TREE_CLASSIFIER", "labels": ("churned",)})
    assert trees.label == "churned"
    assert (trees["L2_REG"], trees["LEARN_RATE"], trees["MAX_TREE_DEPTH"]) == (1, 0.3, 6)
    assert trees["CATEGORY_ENCODING_METHOD"] == "LABEL_ENCODING"


LINEAR, LOGISTIC = {"model_type": "LINEAR_REG"}, {"model_type": "LOGISTIC_REG"}
TREES = {"model_type": "BOOSTED_TREE_CLASSIFIER"}


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({}, "MODEL_TYPE is required"),
        ({"model_type": "LOGISTIC"}, "Unknown model type"),
        ({**LOGISTIC, "l3_reg": 1.0}, "Unknown option: L3_REG"),
        ({**LOGISTIC, "max_tree_depth": 3}, "not supported for model type LOGISTIC_REG"),
        ({**LINEAR, "auto_class_weights": True}, "not supported for model type LINEAR_REG"),
        ({**LOGISTIC, "l2_reg": "much"}, "must be of type FLOAT64"),
        ({**LOGISTIC, "l2_reg": -1.0}, "must be in the range"),
        ({**LOGISTIC, "max_iterations": 2.5}, "must be of type INT64"),
        ({**LOGISTIC, "max_iterations": True}, "must be of type INT64"),
        ({**LOGISTIC, "max_iterations": 0}, "must be in the range"),
        ({**LOGISTIC, "early_stop": "yes"}, "must be of type BOOL"),
        ({**LOGISTIC, "data_split_method": "HALVES"}, "Invalid value 'HALVES'"),
        ({**LOGISTIC, "data_split_method": "CUSTOM"}, "DATA_SPLIT_COL must be specified"),
        ({**LOGISTIC, "data_split_col": "held"}, "DATA_SPLIT_COL can only be set"),
        ({**LOGISTIC, "data_split_eval_fraction": 0.1}, "EVAL_FRACTION can only be set"),
        ({**LOGISTIC, "input_label_cols": "label"}, "must be of type ARRAY<STRING>"),
        ({**LOGISTIC, "input_label_cols": ("a", "b")}, "exactly one column"),
        ({**LOGISTIC, "input_label_cols": ("a",), "labels": ("a",)}, "Duplicate option"),
        (
            {**LOGISTIC, "auto_class_weights": True, "class_weights": (("a", 1.0),)},
            "cannot be specified when AUTO_CLASS_WEIGHTS",
        ),
        ({**LOGISTIC, "class_weights": ("a", 1.0)}, "ARRAY<STRUCT<STRING, FLOAT64>>"),
        ({**LOGISTIC, "learn_rate": 0.1}, "when LEARN_RATE_STRATEGY is CONSTANT"),
        (
            {**LINEAR, "optimize_strategy": "NORMAL_EQUATION", "l1_reg": 1.0},
            "L1_REG cannot be set",
        ),
        ({**LOGISTIC, "category_encoding_method": "LABEL_ENCODING"}, "is not supported"),
        ({**TREES, "category_encoding_method": "DUMMY_ENCODING"}, "is not supported"),
        ({**TREES, "subsample": 1.5}, "must be in the range"),
        ({**TREES, "dropout": 0.3}, "when BOOSTER_TYPE is DART"),
        ({**LOGISTIC, "vertex_ai_model_id": "m"}, "when MODEL_REGISTRY is VERTEX_AI"),
        ({**LOGISTIC, "model_registry": "OTHER"}, "Invalid value 'OTHER'"),
    ],
)
def test_wrong_options_are_refused(said: dict[str, Any], message: str) -> None:
    with pytest.raises(BigQueryError, match=message) as refused:
        read_options(said)
    assert refused.value.code == 400


@pytest.mark.parametrize(
    ("said", "what"),
    [
        ({"model_type": "KMEANS"}, "KMEANS"),
        ({"model_type": "BOOSTED_TREE_CLASSIFIER", "xgboost_version": "1.1"}, "XGBOOST_VERSION"),
        ({**LOGISTIC, "calculate_p_values": True}, "CALCULATE_P_VALUES"),
        ({**LOGISTIC, "warm_start": True}, "WARM_START"),
        ({**LOGISTIC, "num_trials": 10}, "NUM_TRIALS"),
        ({**LOGISTIC, "kms_key_name": "projects/p/…"}, "KMS_KEY_NAME"),
        ({**TREES, "category_encoding_method": "TARGET_ENCODING"}, "TARGET_ENCODING"),
    ],
)
def test_what_the_stand_in_lacks_says_so(said: dict[str, Any], what: str) -> None:
    with pytest.raises(BigQueryError, match=f"lacks .*{what}") as refused:
        read_options(said)
    assert refused.value.code == 501


def test_what_is_right_without_is_accepted() -> None:
    said = read_options({**LOGISTIC, "calculate_p_values": False, "warm_start": False})
    assert (said["CALCULATE_P_VALUES"], said["WARM_START"]) == (False, False)
