"""The options of CREATE MODEL: which there are for which kind of model, and what they may be.

Sources: https://cloud.google.com/bigquery/docs/reference/standard-sql/bigqueryml-syntax-create-glm
and …/bigqueryml-syntax-create-boosted-tree.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gcp_local.bigquery.errors import BigQueryError

LINEAR, LOGISTIC = "LINEAR_REG", "LOGISTIC_REG"
TREE_CLASSIFIER, TREE_REGRESSOR = "BOOSTED_TREE_CLASSIFIER", "BOOSTED_TREE_REGRESSOR"
GLM, TREES = (LINEAR, LOGISTIC), (TREE_CLASSIFIER, TREE_REGRESSOR)
CLASSIFIERS = (LOGISTIC, TREE_CLASSIFIER)
REST_TYPES = {LINEAR: "LINEAR_REGRESSION", LOGISTIC: "LOGISTIC_REGRESSION"}
"""The REST API's names, where they differ."""
_OTHER_TYPES = frozenset({
    "KMEANS", "MATRIX_FACTORIZATION", "PCA", "AUTOENCODER", "AUTOML_CLASSIFIER",
    "AUTOML_REGRESSOR", "RANDOM_FOREST_CLASSIFIER", "RANDOM_FOREST_REGRESSOR", "DNN_CLASSIFIER",
    "DNN_REGRESSOR", "DNN_LINEAR_COMBINED_CLASSIFIER", "DNN_LINEAR_COMBINED_REGRESSOR",
    "ARIMA_PLUS", "ARIMA_PLUS_XREG", "ARIMA", "TENSORFLOW", "TENSORFLOW_LITE", "ONNX", "XGBOOST",
    "TRANSFORM_ONLY", "CONTRIBUTION_ANALYSIS",
})  # fmt: skip
_SPLITS = ("AUTO_SPLIT", "RANDOM", "CUSTOM", "SEQ", "NO_SPLIT")
_TUNING = "hyperparameter tuning"


@dataclass(frozen=True)
class Option:
    """What one option may be.

    Attributes:
        kind: STRING, INT64, FLOAT64, BOOL, ARRAY<STRING> or CLASS_WEIGHTS.
        default: what it is when it is not given; None is nothing.
        choices: the values of a STRING that is an enumeration.
        least: the smallest number; `above` if that itself is too small.
        most: the largest.
        rest: the field of the REST API's `TrainingOptions` that tells it.
        models: the kinds of models that have it.
        lacking: what the stand-in has not got; with `fine` the values that are nevertheless right.

    """

    kind: str
    default: Any = None
    choices: tuple[str, ...] = ()
    least: float = -math.inf
    above: bool = False
    most: float = math.inf
    rest: str = ""
    models: tuple[str, ...] = (*GLM, *TREES)
    lacking: str = ""
    fine: tuple[Any, ...] = ()


def _share(rest: str) -> Option:
    return Option("FLOAT64", 1.0, least=0, above=True, most=1, rest=rest, models=TREES)


OPTIONS: Mapping[str, Option] = {
    "INPUT_LABEL_COLS": Option("ARRAY<STRING>", ("label",), rest="inputLabelColumns"),
    "DATA_SPLIT_METHOD": Option("STRING", "AUTO_SPLIT", _SPLITS, rest="dataSplitMethod"),
    "DATA_SPLIT_EVAL_FRACTION": Option(
        "FLOAT64", least=0, above=True, most=0.99, rest="dataSplitEvalFraction"
    ),
    "DATA_SPLIT_COL": Option("STRING", rest="dataSplitColumn"),
    "DATA_SPLIT_TEST_FRACTION": Option("FLOAT64", lacking=_TUNING),
    "MAX_ITERATIONS": Option("INT64", 20, least=1, rest="maxIterations"),
    "EARLY_STOP": Option("BOOL", default=True, rest="earlyStop"),
    "MIN_REL_PROGRESS": Option("FLOAT64", 0.01, least=0, rest="minRelativeProgress"),
    "L1_REG": Option("FLOAT64", 0.0, least=0, rest="l1Regularization"),
    "L2_REG": Option("FLOAT64", least=0, rest="l2Regularization"),
    "AUTO_CLASS_WEIGHTS": Option(
        "BOOL", default=False, rest="autoClassWeights", models=CLASSIFIERS
    ),
    "CLASS_WEIGHTS": Option("CLASS_WEIGHTS", rest="labelClassWeights", models=CLASSIFIERS),
    "ENABLE_GLOBAL_EXPLAIN": Option("BOOL", default=False, rest="enableGlobalExplain"),
    "CATEGORY_ENCODING_METHOD": Option(
        "STRING",
        choices=("ONE_HOT_ENCODING", "DUMMY_ENCODING", "LABEL_ENCODING", "TARGET_ENCODING"),
        rest="categoryEncodingMethod",
    ),
    "MODEL_REGISTRY": Option("STRING", choices=("VERTEX_AI",), rest="modelRegistry"),
    "VERTEX_AI_MODEL_ID": Option("STRING"),
    "VERTEX_AI_MODEL_VERSION_ALIASES": Option("ARRAY<STRING>", rest="vertexAiModelVersionAliases"),
    "KMS_KEY_NAME": Option("STRING", lacking="encryption with keys of one's own"),
    "NUM_TRIALS": Option("INT64", lacking=_TUNING),
    "MAX_PARALLEL_TRIALS": Option("INT64", lacking=_TUNING),
    "HPARAM_TUNING_ALGORITHM": Option("STRING", lacking=_TUNING),
    "HPARAM_TUNING_OBJECTIVES": Option("ARRAY<STRING>", lacking=_TUNING),
    # Linear and logistic regression
    "OPTIMIZE_STRATEGY": Option(
        "STRING",
        "AUTO_STRATEGY",
        ("AUTO_STRATEGY", "BATCH_GRADIENT_DESCENT", "NORMAL_EQUATION"),
        rest="optimizationStrategy",
        models=(LINEAR,),
    ),
    "LEARN_RATE_STRATEGY": Option(
        "STRING", "LINE_SEARCH", ("LINE_SEARCH", "CONSTANT"), rest="learnRateStrategy", models=GLM
    ),
    "LEARN_RATE": Option("FLOAT64", least=0, above=True, rest="learnRate"),
    "LS_INIT_LEARN_RATE": Option(
        "FLOAT64", least=0, above=True, rest="initialLearnRate", models=GLM
    ),
    "CALCULATE_P_VALUES": Option(
        "BOOL",
        default=False,
        rest="calculatePValues",
        models=GLM,
        lacking="p-values and standard errors",
        fine=(False,),
    ),
    "FIT_INTERCEPT": Option("BOOL", default=True, rest="fitIntercept", models=GLM),
    "WARM_START": Option(
        "BOOL", default=False, rest="warmStart", models=GLM, lacking="warm starts", fine=(False,)
    ),
    # Boosted trees
    "BOOSTER_TYPE": Option(
        "STRING", "GBTREE", ("GBTREE", "DART"), rest="boosterType", models=TREES
    ),
    "DART_NORMALIZE_TYPE": Option(
        "STRING", "TREE", ("TREE", "FOREST"), rest="dartNormalizeType", models=TREES
    ),
    "DROPOUT": Option("FLOAT64", 0.0, least=0, most=1, rest="dropout", models=TREES),
    "NUM_PARALLEL_TREE": Option("INT64", 1, least=1, rest="numParallelTree", models=TREES),
    "MAX_TREE_DEPTH": Option("INT64", 6, least=1, rest="maxTreeDepth", models=TREES),
    "TREE_METHOD": Option(
        "STRING", "AUTO", ("AUTO", "EXACT", "APPROX", "HIST"), rest="treeMethod", models=TREES
    ),
    "MIN_TREE_CHILD_WEIGHT": Option("INT64", 1, least=0, rest="minTreeChildWeight", models=TREES),
    "COLSAMPLE_BYTREE": _share("colsampleBytree"),
    "COLSAMPLE_BYLEVEL": _share("colsampleBylevel"),
    "COLSAMPLE_BYNODE": _share("colsampleBynode"),
    "SUBSAMPLE": _share("subsample"),
    "MIN_SPLIT_LOSS": Option("FLOAT64", 0.0, least=0, rest="minSplitLoss", models=TREES),
    "INSTANCE_WEIGHT_COL": Option("STRING", rest="instanceWeightColumn", models=TREES),
    "APPROX_GLOBAL_FEATURE_CONTRIB": Option(
        "BOOL",
        default=False,
        rest="approxGlobalFeatureContrib",
        models=TREES,
        lacking="approximate contributions of features",
        fine=(False,),
    ),
    "XGBOOST_VERSION": Option(
        "STRING",
        choices=("0.9", "1.1"),
        models=TREES,
        lacking="XGBoost's versions 0.9 and 1.1: it trains with the one that is installed",
    ),
}  # fmt: skip
_ALIASES = {"LABELS": "INPUT_LABEL_COLS"}
# Regularisation of trees is 1 unless told otherwise; of regressions 0.
_TREE_DEFAULTS = {"L2_REG": 1.0, "CATEGORY_ENCODING_METHOD": "LABEL_ENCODING", "LEARN_RATE": 0.3}
_GLM_DEFAULTS = {"L2_REG": 0.0, "CATEGORY_ENCODING_METHOD": "ONE_HOT_ENCODING"}
_REST_VALUES = {
    "SEQ": "SEQUENTIAL",
    "AUTO_STRATEGY": None,  # the REST API tells what was chosen
}


@dataclass(frozen=True)
class Options:
    """The options of one model, with the defaults of those that were not given.

    Attributes:
        model_type: as SQL has it, `LOGISTIC_REG`.
        values: by the options' names in capitals.

    """

    model_type: str
    values: Mapping[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.values.get(name)

    @property
    def label(self) -> str:
        """The name of the label's column."""
        return str(self["INPUT_LABEL_COLS"][0])

    @property
    def classifies(self) -> bool:
        """Whether the label is a class."""
        return self.model_type in CLASSIFIERS

    @property
    def rest_type(self) -> str:
        """The kind of model in the REST API's words."""
        return REST_TYPES.get(self.model_type, self.model_type)

    def as_json(self) -> dict[str, Any]:
        """Give the `TrainingOptions`."""
        said: dict[str, Any] = {
            "lossType": "MEAN_LOG_LOSS" if self.classifies else "MEAN_SQUARED_LOSS"
        }
        for name, value in self.values.items():
            rest = OPTIONS[name].rest
            if not rest or value is None:
                continue
            shown = _REST_VALUES.get(value, value) if isinstance(value, str) else value
            if shown is None or shown == "TARGET_ENCODING":
                continue
            if OPTIONS[name].kind == "INT64":
                shown = str(shown)
            said[rest] = list(shown) if isinstance(shown, tuple) else shown
        return said


def read_options(given: Mapping[str, Any]) -> Options:
    """Hold options to the rules, and fill in the others.

    Args:
        given: by name, in any case; values as Python has them, arrays as tuples, structs as tuples.

    Raises:
        BigQueryError: an unknown option or model type, a wrong value, or what the stand-in lacks.

    """
    said: dict[str, Any] = {}
    for name, value in given.items():
        known = _ALIASES.get(name.upper(), name.upper())
        if known in said:
            raise _refused(f"Duplicate option specified: {known}")
        said[known] = value
    model_type = said.pop("MODEL_TYPE", None)
    if model_type is None:
        raise _refused("Option MODEL_TYPE is required in the CREATE MODEL statement")
    if not isinstance(model_type, str):
        raise _refused("Option MODEL_TYPE must be of type STRING")
    model_type = model_type.upper()
    if model_type in _OTHER_TYPES:
        raise BigQueryError.lacking(f"models of the type {model_type}", location="query")
    if model_type not in (*GLM, *TREES):
        raise _refused(f"Unknown model type: {model_type}")
    values = {
        name: option.default for name, option in OPTIONS.items() if model_type in option.models
    }
    values |= _TREE_DEFAULTS if model_type in TREES else _GLM_DEFAULTS
    for name, value in said.items():
        if name not in OPTIONS:
            raise _refused(f"Unknown option: {name}")
        if model_type not in OPTIONS[name].models:
            raise _refused(f"Option {name} is not supported for model type {model_type}")
        values[name] = _read(name, OPTIONS[name], value)
    _check_together(model_type, said, values)
    return Options(model_type, values)


def _read(name: str, option: Option, value: Any) -> Any:
    if option.lacking and value not in option.fine:
        raise BigQueryError.lacking(f"{option.lacking} (the option {name})", location="query")
    wrong = _refused(f"Option {name} must be of type {option.kind}")
    match option.kind:
        case "BOOL":
            if not isinstance(value, bool):
                raise wrong
        case "STRING":
            if not isinstance(value, str):
                raise wrong
            if option.choices:
                value = value.upper()
                if value not in option.choices:
                    allowed = ", ".join(option.choices)
                    raise _refused(f"Invalid value {value!r} of option {name}: one of {allowed}")
        case "ARRAY<STRING>":
            if not isinstance(value, tuple) or not all(isinstance(each, str) for each in value):
                raise wrong
        case "CLASS_WEIGHTS":
            return _class_weights(name, value)
        case _:
            value = _number(name, option, value)
    return value


def _number(name: str, option: Option, value: Any) -> float | int:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _refused(f"Option {name} must be of type {option.kind}")
    if option.kind == "INT64" and not isinstance(value, int):
        raise _refused(f"Option {name} must be of type INT64")
    low = value < option.least or (option.above and value <= option.least)
    if low or value > option.most or not math.isfinite(value):
        bounds = f"{'(' if option.above else '['}{option.least:g}, {option.most:g}]"
        raise _refused(f"Option {name} must be in the range {bounds}, but was {value}")
    return value if option.kind == "INT64" else float(value)


def _class_weights(name: str, value: Any) -> dict[str, float]:
    weights: dict[str, float] = {}
    for each in value if isinstance(value, tuple) else (None,):
        match each:
            case (str() as label, int() | float() as weight) if not isinstance(weight, bool):
                if label in weights:
                    raise _refused(f"Duplicate label {label!r} in option {name}")
                if weight < 0:
                    raise _refused(f"Negative weight of the label {label!r} in option {name}")
                weights[label] = float(weight)
            case _:
                raise _refused(f"Option {name} must be of type ARRAY<STRUCT<STRING, FLOAT64>>")
    return weights


def _check_together(model_type: str, said: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    """Refuse options that do not go together."""
    if len(values["INPUT_LABEL_COLS"]) != 1:
        raise _refused("Option INPUT_LABEL_COLS must name exactly one column")
    if values.get("AUTO_CLASS_WEIGHTS") and values.get("CLASS_WEIGHTS"):
        raise _refused("CLASS_WEIGHTS cannot be specified when AUTO_CLASS_WEIGHTS is true")
    method = values["DATA_SPLIT_METHOD"]
    if method in ("CUSTOM", "SEQ") and not values["DATA_SPLIT_COL"]:
        raise _refused(f"DATA_SPLIT_COL must be specified when DATA_SPLIT_METHOD is {method}")
    if "DATA_SPLIT_COL" in said and method not in ("CUSTOM", "SEQ"):
        raise _refused("DATA_SPLIT_COL can only be set when DATA_SPLIT_METHOD is CUSTOM or SEQ")
    if "DATA_SPLIT_EVAL_FRACTION" in said and method not in ("RANDOM", "SEQ"):
        raise _refused(
            "DATA_SPLIT_EVAL_FRACTION can only be set when DATA_SPLIT_METHOD is RANDOM or SEQ"
        )
    if not values["MODEL_REGISTRY"]:
        for name in ("VERTEX_AI_MODEL_ID", "VERTEX_AI_MODEL_VERSION_ALIASES"):
            if name in said:
                raise _refused(f"{name} can only be set when MODEL_REGISTRY is VERTEX_AI")
    _check_encoding(model_type, values["CATEGORY_ENCODING_METHOD"])
    if model_type in GLM:
        _check_learning(said, values)
    elif "DROPOUT" in said and values["DROPOUT"] and values["BOOSTER_TYPE"] != "DART":
        raise _refused("DROPOUT can only be set when BOOSTER_TYPE is DART")


def _check_encoding(model_type: str, encoding: str) -> None:
    allowed = (
        ("ONE_HOT_ENCODING", "DUMMY_ENCODING")
        if model_type in GLM
        else ("ONE_HOT_ENCODING", "LABEL_ENCODING", "TARGET_ENCODING")
    )
    if encoding not in allowed:
        raise _refused(f"{encoding} is not supported for model type {model_type}")
    if encoding == "TARGET_ENCODING":
        raise BigQueryError.lacking("TARGET_ENCODING", location="query")


def _check_learning(said: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    if "LEARN_RATE" in said and values["LEARN_RATE_STRATEGY"] != "CONSTANT":
        raise _refused("LEARN_RATE can only be set when LEARN_RATE_STRATEGY is CONSTANT")
    if "LS_INIT_LEARN_RATE" in said and values["LEARN_RATE_STRATEGY"] != "LINE_SEARCH":
        raise _refused("LS_INIT_LEARN_RATE can only be set when LEARN_RATE_STRATEGY is LINE_SEARCH")
    if values.get("OPTIMIZE_STRATEGY") == "NORMAL_EQUATION" and said.get("L1_REG"):
        raise _refused("L1_REG cannot be set when OPTIMIZE_STRATEGY is NORMAL_EQUATION")


def _refused(message: str) -> BigQueryError:
    return BigQueryError("invalidQuery", message, location="query")
