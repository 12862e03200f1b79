"""Which function answers which name."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.ml.functions.request import Request
from gcp_local.bigquery.ml.libraries import without
from gcp_local.bigquery.ml.reading import reference

if TYPE_CHECKING:
    from sqlglot.expressions import Expr

    from gcp_local.bigquery.ml.store import ModelStore
    from gcp_local.bigquery.sql.executor import Executor
    from gcp_local.bigquery.sql.grammar.nodes import Call
    from gcp_local.bigquery.sql.session import Outcome, Session
    from gcp_local.bigquery.sql.table_functions import RunQuery

FUNCTIONS = {
    "EVALUATE": "judging",
    "CONFUSION_MATRIX": "judging",
    "ROC_CURVE": "judging",
    "PREDICT": "predicting",
    "EXPLAIN_PREDICT": "predicting",
    "FEATURE_INFO": "describing",
    "TRAINING_INFO": "describing",
    "WEIGHTS": "describing",
    "FEATURE_IMPORTANCE": "describing",
    "GLOBAL_EXPLAIN": "describing",
}
"""The functions, and in which module of this package each is; they are imported when used."""
_LACKING = frozenset({
    "ADVANCED_WEIGHTS", "ARIMA_COEFFICIENTS", "ARIMA_EVALUATE", "CENTROIDS", "DESCRIBE_DATA",
    "DETECT_ANOMALIES", "ENTITY_FEATURES_AT_TIME", "EXPLAIN_FORECAST", "FEATURES_AT_TIME",
    "FORECAST", "GENERATE_EMBEDDING", "GENERATE_TEXT", "GET_INSIGHTS", "HOLIDAY_INFO",
    "PRINCIPAL_COMPONENTS", "PRINCIPAL_COMPONENT_INFO", "RECOMMEND", "RECONSTRUCTION_LOSS",
    "TFDV_DESCRIBE", "TFDV_VALIDATE", "TRANSFORM", "TRANSLATE", "TRIAL_INFO", "UNDERSTAND_TEXT",
    "VALIDATE_DATA_DRIFT", "VALIDATE_DATA_SKEW", "METRICS",
})  # fmt: skip


class ModelFunctions:
    """The functions: `TableFunctions` whose names begin with `ML.`."""

    def __init__(self, store: ModelStore, executor: Executor) -> None:
        self._store = store
        self._executor = executor

    def has(self, name: str) -> bool:
        """See `TableFunctions.has`."""
        return name.upper().startswith("ML.")

    def rows(self, call: Call, session: Session, query: RunQuery, *, dry: bool) -> Outcome:
        """See `TableFunctions.rows`."""
        from gcp_local.bigquery.sql.grammar.nodes import ModelName, refusal

        name = call.name.upper().removeprefix("ML.")
        if name in _LACKING:
            raise BigQueryError.lacking(f"the function ML.{name}", location="query")
        if name not in FUNCTIONS:
            raise refusal(f"Table-valued function not found: {call.name}", call)
        arguments = list(call.expressions)
        if not arguments or not isinstance(arguments[0], ModelName):
            raise refusal(f"ML.{name} expects a MODEL as its first argument", call)
        ref = reference(arguments.pop(0), session)
        entry, model = self._store.get(ref)
        data = None
        if arguments and _is_rows(arguments[0]):
            data = query(_as_query(arguments.pop(0)))
        request = Request(
            name=name,
            entry=entry,
            model=model,
            data=data,
            arguments=arguments,
            query=query,
            executor=self._executor,
            session=session,
            dry=dry,
            holdout=lambda: self._store.holdout(entry),
        )
        module = import_module(f"gcp_local.bigquery.ml.functions.{FUNCTIONS[name]}")
        answer: Callable[[Request], Outcome] = getattr(module, name.lower())
        with without("sklearn"):
            return answer(request)


def _is_rows(node: Expr) -> bool:
    from sqlglot import exp

    return isinstance(node, exp.Table | exp.Subquery)


def _as_query(node: Expr) -> Expr:
    from sqlglot import exp

    if isinstance(node, exp.Subquery):
        query: Expr = node.this
        return query
    table = node.copy()
    parts = [part for name in node.meta["path"] for part in name.split(".")]
    for key, name in zip(("this", "db", "catalog"), reversed(parts), strict=False):
        table.set(key, exp.to_identifier(name))
    return exp.Select(expressions=[exp.Star()], from_=exp.From(this=table))
