"""What a training pipeline is asked: AutoML's inputs for tables, and the split of the data.

Sources: the schema `automl_tabular_1.0.0.yaml` as the typed message `AutoMlTablesInputs` has it,
and https://cloud.google.com/vertex-ai/docs/reference/rest/v1/InputDataConfig.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gcp_local.errors import InvalidArgument, Unimplemented
from gcp_local.rpc.protos import to_json
from gcp_local.vertex.training.splits import Split, SplitError, whole_fractions

if TYPE_CHECKING:
    from gcp_local.rpc.protos import Message

_AT = "training_pipeline.training_task_inputs"
CLASSIFICATION, REGRESSION = "classification", "regression"
_AT_RECALL, _AT_PRECISION = "maximize-precision-at-recall", "maximize-recall-at-precision"
OBJECTIVES = {
    CLASSIFICATION: (
        "maximize-au-roc", "minimize-log-loss", "maximize-au-prc", _AT_RECALL, _AT_PRECISION,
    ),
    REGRESSION: ("minimize-rmse", "minimize-mae", "minimize-rmsle"),
}  # fmt: skip
_SMALLEST_BUDGET, _LARGEST_BUDGET = 1000, 72_000
_TRANSFORMATIONS = {
    "auto": (),
    "numeric": ("invalidValuesAllowed",),
    "categorical": (),
    "timestamp": ("timeFormat", "invalidValuesAllowed"),
    "text": (),
}
_REPEATED = ("repeatedNumeric", "repeatedCategorical", "repeatedText")


@dataclass(frozen=True)
class Transformation:
    """How one column becomes features.

    Attributes:
        kind: `auto`, `numeric`, `categorical`, `timestamp` or `text`.
        invalid_allowed: whether a row with an invalid value may train.
        time_format: of a timestamp: `unix-seconds` and its like, strftime's syntax, or empty.

    """

    column: str
    kind: str
    invalid_allowed: bool = False
    time_format: str = ""


@dataclass(frozen=True)
class TabularInputs:
    """AutoML's inputs for tables, complete and checked."""

    target: str
    prediction_type: str
    objective: str
    transformations: tuple[Transformation, ...]
    objective_value: float = 0.0
    weight: str = ""
    early_stopping: bool = True


def read_tabular(value: Message) -> TabularInputs:
    """Read the inputs of AutoML for tables.

    Raises:
        InvalidArgument: they do not follow the schema.
        Unimplemented: they ask for what the stand-in has not got.

    """
    inputs = _Object(to_json(value), _AT)
    kind = inputs.text("predictionType", required=True)
    if kind not in OBJECTIVES:
        inputs.fail("predictionType", f"must be one of {', '.join(OBJECTIVES)}, not {kind!r}")
    objective = inputs.text("optimizationObjective")
    if objective and objective not in OBJECTIVES[kind]:
        known = ", ".join(OBJECTIVES[kind])
        inputs.fail("optimizationObjective", f"of {kind} is one of {known}, not {objective!r}")
    budget = inputs.number("trainBudgetMilliNodeHours")
    if budget is None or not _SMALLEST_BUDGET <= budget <= _LARGEST_BUDGET or budget % 1:
        inputs.fail(
            "trainBudgetMilliNodeHours",
            f"must be a whole number from {_SMALLEST_BUDGET} to {_LARGEST_BUDGET}, inclusive",
        )
    target = inputs.text("targetColumn", required=True)
    weight = inputs.text("weightColumnName")
    if weight == target:
        inputs.fail("weightColumnName", "cannot be the target column")
    found = TabularInputs(
        target=target,
        prediction_type=kind,
        objective=objective,
        transformations=_transformations(inputs, target),
        objective_value=_objective_value(inputs, objective),
        weight=weight,
        early_stopping=not inputs.flag("disableEarlyStopping"),
    )
    if inputs.take("exportEvaluatedDataItemsConfig") is not None:
        raise Unimplemented(
            "exportEvaluatedDataItemsConfig writes to BigQuery, which the embedded cloud has not"
            " got yet."
        )
    experiments = inputs.take("additionalExperiments")
    if experiments:
        # Each changes the training in a way of its own, which a stand-in cannot follow.
        raise Unimplemented("additionalExperiments are not implemented by the embedded cloud.")
    inputs.close()
    return found


def _objective_value(inputs: _Object, objective: str) -> float:
    """Read the recall or the precision at which the other is maximized."""
    values = {
        _AT_RECALL: "optimizationObjectiveRecallValue",
        _AT_PRECISION: "optimizationObjectivePrecisionValue",
    }
    found = 0.0
    for needed_by, name in values.items():
        value = inputs.number(name)
        if objective == needed_by:
            if value is None or not 0 <= value <= 1:
                inputs.fail(name, f"must be from 0 to 1, inclusive, with {objective!r}")
            else:
                found = value
        elif value is not None:
            inputs.fail(name, f"goes with optimizationObjective {needed_by!r} only")
    return found


def _transformations(inputs: _Object, target: str) -> tuple[Transformation, ...]:
    listed = inputs.take("transformations")
    if not isinstance(listed, list) or not listed:
        inputs.fail("transformations", "must be a list with at least one transformation")
        raise AssertionError
    found: dict[str, Transformation] = {}
    for number, each in enumerate(listed):
        at = f"{_AT}.transformations[{number}]"
        outer = _Object(each, at)
        kinds = [kind for kind in (*_TRANSFORMATIONS, *_REPEATED) if outer.has(kind)]
        if len(kinds) != 1:
            known = ", ".join(_TRANSFORMATIONS)
            raise InvalidArgument.of_field(at, f"{at} must have exactly one of {known}.")
        kind = kinds[0]
        if kind in _REPEATED:
            raise Unimplemented(
                f"The transformation {kind!r} is for arrays of BigQuery, which the embedded cloud"
                " has not got."
            )
        inner = _Object(outer.take(kind), f"{at}.{kind}")
        outer.close()
        column = inner.text("columnName", required=True)
        options = _TRANSFORMATIONS[kind]
        transformation = Transformation(
            column=column,
            kind=kind,
            invalid_allowed="invalidValuesAllowed" in options
            and inner.flag("invalidValuesAllowed"),
            time_format=inner.text("timeFormat") if "timeFormat" in options else "",
        )
        inner.close()
        if column == target:
            raise InvalidArgument.of_field(
                at, f"The target column {target!r} must have no transformation."
            )
        if column in found:
            raise Unimplemented(
                f"More than one transformation of the column {column!r} is not implemented by the"
                " embedded cloud."
            )
        found[column] = transformation
    return tuple(found.values())


def read_split(config: Message) -> Split:
    """Read how the rows of a tabular dataset are split.

    Raises:
        InvalidArgument: a split that tables cannot have, or with fractions that cannot be.

    """
    at = "training_pipeline.input_data_config"
    for name in ("annotations_filter", "annotation_schema_uri", "saved_query_id"):
        if getattr(config, name):
            raise InvalidArgument.of_field(
                f"{at}.{name}", f"{name} does not apply to a tabular dataset."
            )
    if config.persist_ml_use_assignment:
        raise InvalidArgument.of_field(
            f"{at}.persist_ml_use_assignment",
            "persist_ml_use_assignment does not apply to a tabular dataset: it has no data items.",
        )
    chosen = config.WhichOneof("split")
    if chosen is None:
        return Split()
    if chosen == "filter_split":
        raise InvalidArgument.of_field(
            f"{at}.filter_split", "filter_split is supported only for unstructured datasets."
        )
    said = getattr(config, chosen)
    key = getattr(said, "key", "")
    if chosen != "fraction_split" and not key:
        raise InvalidArgument.of_field(f"{at}.{chosen}.key", f"{chosen}.key is required.")
    if chosen == "predefined_split":
        return Split("predefined", key=key)
    try:
        fractions = whole_fractions(
            (said.training_fraction, said.validation_fraction, said.test_fraction)
        )
    except SplitError as error:
        raise InvalidArgument.of_field(f"{at}.{chosen}", f"Invalid {chosen}: {error}.") from None
    return Split(chosen.removesuffix("_split"), fractions, key)


class _Object:
    """A JSON object that is read name by name, in camel or in snake case, null as if not there."""

    def __init__(self, value: Any, at: str) -> None:
        if not isinstance(value, dict):
            raise InvalidArgument.of_field(at, f"{at} must be an object.")
        self._at = at
        self._left: dict[str, Any] = {}
        for name, item in value.items():
            camel = re.sub(r"_([a-z])", lambda match: match[1].upper(), name)
            if camel in self._left:
                raise InvalidArgument.of_field(at, f"{camel!r} is given twice in {at}.")
            self._left[camel] = item

    def fail(self, name: str, why: str) -> None:
        raise InvalidArgument.of_field(f"{self._at}.{name}", f"{self._at}.{name} {why}.")

    def has(self, name: str) -> bool:
        return self._left.get(name) is not None

    def take(self, name: str) -> Any:
        return self._left.pop(name, None)

    def text(self, name: str, *, required: bool = False) -> str:
        value = self.take(name)
        if value is None or value == "":
            if required:
                self.fail(name, "is required")
            return ""
        if not isinstance(value, str):
            self.fail(name, "must be a string")
        return str(value)

    def flag(self, name: str) -> bool:
        value = self.take(name)
        if value is not None and not isinstance(value, bool):
            self.fail(name, "must be true or false")
        return bool(value)

    def number(self, name: str) -> float | None:
        """Read a number; proto3's JSON writes a long one as a string."""
        value = self.take(name)
        if isinstance(value, str) and re.fullmatch(r"-?\d{1,18}", value):
            value = int(value)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            self.fail(name, "must be a number")
        return None if value is None else float(value)

    def close(self) -> None:
        """Refuse what was not read."""
        unknown = sorted(name for name, value in self._left.items())
        if unknown:
            raise InvalidArgument.of_field(
                self._at, f"Unknown names in {self._at}: {', '.join(unknown)}."
            )
