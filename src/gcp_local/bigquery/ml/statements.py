"""CREATE, ALTER, DROP and EXPORT MODEL.

Sources, below https://cloud.google.com/bigquery/docs/reference/standard-sql/:
bigqueryml-syntax-create, bigqueryml-syntax-alter-model, bigqueryml-syntax-drop-model,
bigqueryml-syntax-export-model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gcp_local import clock
from gcp_local.bigquery.engine import RowRelation
from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.ml.description import altered
from gcp_local.bigquery.ml.functions.request import transformed
from gcp_local.bigquery.ml.options import Options, read_options
from gcp_local.bigquery.ml.order import (
    DEFAULT_FRACTION,
    HOLDOUT_FILE,
    MODEL_FILE,
    Order,
    Split,
)
from gcp_local.bigquery.ml.preprocessing import Item, frozen
from gcp_local.bigquery.ml.reading import column, options, reference, without
from gcp_local.bigquery.ml.resource import iterations_json, model_json
from gcp_local.bigquery.schema import Field, Schema
from gcp_local.bigquery.sql.session import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sqlglot.expressions import Expr

    from gcp_local.bigquery.catalog import Catalog
    from gcp_local.bigquery.ml.exporting import Exporter
    from gcp_local.bigquery.ml.model import TrainedModel
    from gcp_local.bigquery.ml.models import Models
    from gcp_local.bigquery.ml.trainer import Trainer
    from gcp_local.bigquery.references import TableRef
    from gcp_local.bigquery.sql.executor import Executor
    from gcp_local.bigquery.sql.grammar.models import ModelStatement
    from gcp_local.bigquery.sql.session import Session

_LABELS = {"STRING", "INTEGER", "BOOLEAN", "FLOAT"}
_NUMBERS = {"INTEGER", "FLOAT", "NUMERIC"}


class ModelStatements:
    """The handler of statements about models.

    Args:
        catalog: which datasets and tables there are.
        models: which models.
        executor: runs the query that a model is trained on.
        trainer: trains.
        exporter: writes models to Cloud Storage.

    """

    def __init__(
        self,
        catalog: Catalog,
        models: Models,
        executor: Executor,
        trainer: Trainer,
        exporter: Exporter,
    ) -> None:
        self._catalog = catalog
        self._models = models
        self._executor = executor
        self._trainer = trainer
        self._exporter = exporter

    def takes(self, statement: Expr) -> bool:
        """Tell whether it is one of these; see `Handler.takes`."""
        return statement.key in ("createmodel", "altermodel", "dropmodel", "exportmodel")

    def run(self, statement: Expr, session: Session, *, dry: bool) -> Outcome:
        """Run one; see `Handler.run`."""
        from gcp_local.bigquery.sql.grammar.models import ModelStatement

        assert isinstance(statement, ModelStatement)
        ref = reference(statement, session)
        self._catalog.dataset(ref.parent)
        match statement.key:
            case "createmodel":
                return self._create(ref, statement, session, dry=dry)
            case "altermodel":
                return self._alter(ref, statement, dry=dry)
            case "dropmodel":
                return self._drop(ref, statement, dry=dry)
            case _:
                return self._export(ref, statement, dry=dry)

    # CREATE

    def _create(
        self, ref: TableRef, statement: ModelStatement, session: Session, *, dry: bool
    ) -> Outcome:
        begun = clock.now()
        present = self._models.store.find(ref) is not None
        replaces = bool(statement.args.get("replace"))
        if present and statement.args.get("exists"):
            return _done("CREATE_MODEL", ref, "SKIP")
        if present and not replaces:
            raise BigQueryError.duplicate("Model", ref)
        if self._catalog.find(ref) is not None:
            raise BigQueryError.duplicate("Table", ref)
        chosen = read_options(options(statement.args.get("options")))
        self._models.check_registration(ref, chosen)
        inputs = self._executor.run(statement.args["query"], session, dry=dry)
        items = _items(statement, inputs.schema)
        if dry:
            if not items:
                _columns(chosen, inputs.schema)
            return _done("CREATE_MODEL", ref, "CREATE", read=inputs)
        data = inputs
        if items:
            items = self._frozen(items, inputs, session)
            data = self._transformed(items, inputs, session)
        label, features = _columns(chosen, data.schema)
        order = Order(
            options=replace(chosen, values={**chosen.values, "INPUT_LABEL_COLS": (label.name,)}),
            split=_split(chosen, data.schema),
            label_type=label.type,
            features=features,
            inputs=_inputs(items, inputs.schema, chosen) if items else features,
            transform=", ".join(each.sql for each in items if not _aside(each, chosen)),
            target=next((each.sql for each in items if each.name == chosen.label.lower()), ""),
        )
        raw = inputs.rows if items else None
        session.cancellation.check()
        with self._trainer.trained(order, data.rows, raw, session.cancellation) as folder:
            model, holdout = _read(folder)
            location = str(self._catalog.dataset(ref.parent).body.get("location", "US"))
            body = model_json(ref, chosen, model, holdout, location, begun)
            self._models.keep(ref, body, folder, chosen, model, replaces=replaces)
        statistics = {
            "mlStatistics": {
                "maxIterations": str(chosen["MAX_ITERATIONS"]),
                "modelType": chosen.rest_type,
                "trainingType": "SINGLE_TRAINING",
                "iterationResults": iterations_json(model),
            }
        }
        operation = "REPLACE" if present else "CREATE"
        return _done("CREATE_MODEL", ref, operation, read=inputs, more=statistics)

    def _frozen(self, items: Sequence[Item], inputs: Outcome, session: Session) -> list[Item]:
        rows = RowRelation(inputs.schema, inputs.rows)

        def values(sql: str) -> Sequence[Any]:
            outcome = transformed(f"({sql}) AS value", rows, session, self._executor)
            assert outcome.rows is not None
            found: list[Any] = outcome.rows.column(0).to_pylist()
            return found

        return frozen(items, values)

    def _transformed(self, items: Sequence[Item], inputs: Outcome, session: Session) -> Outcome:
        rows = RowRelation(inputs.schema, inputs.rows)
        listed = ", ".join(item.sql for item in items)
        return transformed(listed, rows, session, self._executor)

    # The others

    def _alter(self, ref: TableRef, statement: ModelStatement, *, dry: bool) -> Outcome:
        if self._models.store.find(ref) is None and statement.args.get("exists"):
            return _done("ALTER_MODEL", ref, "SKIP")
        entry, _ = self._models.store.get(ref)
        said = options(statement.args.get("options"))
        registered = {name.lower(): value for name, value in said.items()}.pop(
            "vertex_ai_model_id", None
        )
        body = altered(entry.body, said)
        if not dry:
            self._models.replace(ref, body, vertex_id=registered)
        return _done("ALTER_MODEL", ref, "ALTER")

    def _drop(self, ref: TableRef, statement: ModelStatement, *, dry: bool) -> Outcome:
        if self._models.store.find(ref) is None:
            if statement.args.get("exists"):
                return _done("DROP_MODEL", ref, "SKIP")
            raise BigQueryError.not_found("Model", ref)
        if not dry:
            self._models.drop(ref)
        return _done("DROP_MODEL", ref, "DROP")

    def _export(self, ref: TableRef, statement: ModelStatement, *, dry: bool) -> Outcome:
        said: Mapping[str, Any] = {
            name.lower(): value for name, value in options(statement.args.get("options")).items()
        }
        for name in said:
            if name not in ("uri", "trial_id"):
                raise BigQueryError("invalidQuery", f"Unknown option: {name}", location="query")
        if "trial_id" in said:
            raise BigQueryError.lacking("hyperparameter tuning", location="query")
        uri = said.get("uri")
        if not isinstance(uri, str):
            raise BigQueryError(
                "invalidQuery",
                "Option uri is required and must be of type STRING",
                location="query",
            )
        _, model = self._models.store.get(ref)
        self._exporter.check(model, uri)
        if not dry:
            self._exporter.export(model, uri)
        return Outcome("EXPORT_MODEL")


def _done(
    kind: str,
    ref: TableRef,
    operation: str,
    *,
    read: Outcome | None = None,
    more: Mapping[str, Any] | None = None,
) -> Outcome:
    statistics = {
        "ddlOperationPerformed": operation,
        "ddlTargetTable": ref.as_json(),
        **(more or {}),
    }
    size, referenced = (0, ()) if read is None else (read.bytes, read.referenced)
    return Outcome(kind, (), None, size, referenced, statistics)


def _columns(chosen: Options, schema: Schema) -> tuple[Field, Schema]:
    """Find the label among the columns of the training data, and the features.

    Raises:
        BigQueryError: a column that an option names is missing, or of a type that it cannot be.

    """
    label = _named(schema, chosen.label, "label")
    wanted = _LABELS if chosen.classifies else _NUMBERS
    if label.repeated or label.type not in wanted:
        if chosen.classifies and not label.repeated and label.type == "NUMERIC":
            raise BigQueryError.lacking("classes of the type NUMERIC", location="query")
        raise _refused(
            f"The label column '{label.name}' has type {label.sql}, which is not supported for"
            f" model type {chosen.model_type}"
        )
    aside = [label.name]
    for option, what in (("DATA_SPLIT_COL", "data split"), ("INSTANCE_WEIGHT_COL", "weight")):
        if chosen[option]:
            found = _named(schema, chosen[option], what)
            if found.name in aside:
                raise _refused(f"The column '{found.name}' cannot be the {what} column, too")
            if what == "weight" and (found.repeated or found.type not in _NUMBERS):
                raise _refused(f"The weight column '{found.name}' must be a number")
            aside.append(found.name)
    features = without(schema, aside)
    if not features:
        raise _refused("There must be at least one feature column in the training data")
    return label, features


def _named(schema: Schema, name: str, what: str) -> Field:
    found = column(schema, name)
    if found is None:
        raise _refused(f"Unable to find the {what} column '{name}' in the training data")
    return found


def _split(chosen: Options, schema: Schema) -> Split:
    method = chosen["DATA_SPLIT_METHOD"]
    fraction = chosen["DATA_SPLIT_EVAL_FRACTION"]
    by = column(schema, chosen["DATA_SPLIT_COL"] or "")
    if method == "RANDOM" and fraction is None:
        method = "AUTO_SPLIT"
    if by is not None and method == "CUSTOM" and (by.type != "BOOLEAN" or by.repeated):
        raise _refused(f"The data split column '{by.name}' must be of type BOOL")
    if by is not None and method == "SEQ" and (by.repeated or by.type in ("RECORD", "BOOLEAN")):
        raise _refused(f"The data split column '{by.name}' cannot be of type {by.sql}")
    return Split(method, fraction or DEFAULT_FRACTION, by.name if by else "")


def _items(statement: ModelStatement, schema: Schema) -> list[Item]:
    """Give the items of a TRANSFORM clause; a star becomes the columns that it stands for now."""
    from sqlglot import exp

    found: list[Item] = []
    texts: Sequence[str] = statement.meta.get("transform", ())
    for node, text in zip(statement.args.get("transform") or (), texts, strict=True):
        if isinstance(node, exp.Star):
            if node.args.get("replace"):
                raise BigQueryError.lacking("* REPLACE in TRANSFORM", location="query")
            gone = [each.name for each in node.args.get("except_") or ()]
            for field in without(schema, gone):
                name = field.name.lower()
                found.append(Item(name, f"`{field.name}`", (name,)))
        else:
            read = tuple(each.name.lower() for each in node.find_all(exp.Column))
            found.append(Item(str(node.alias_or_name).lower(), text, read))
    return found


def _inputs(items: Sequence[Item], schema: Schema, chosen: Options) -> Schema:
    """Tell which columns of the query the transformation of features reads."""
    read = {name for item in items if not _aside(item, chosen) for name in item.reads}
    aside = [chosen.label.lower(), (chosen["DATA_SPLIT_COL"] or "").lower()]
    return tuple(
        field for field in schema if field.name.lower() in read and field.name.lower() not in aside
    )


def _aside(item: Item, chosen: Options) -> bool:
    """Tell whether an item gives no feature."""
    names = (chosen.label, chosen["DATA_SPLIT_COL"] or "", chosen["INSTANCE_WEIGHT_COL"] or "")
    return bool(item.name) and item.name in map(str.lower, names)


def _read(folder: Path) -> tuple[TrainedModel, Any]:
    import pyarrow.parquet as pq

    from gcp_local.bigquery.ml.model import TrainedModel

    model = TrainedModel.load((folder / MODEL_FILE).read_bytes())
    return model, pq.read_table(folder / HOLDOUT_FILE)


def _refused(message: str) -> BigQueryError:
    return BigQueryError("invalidQuery", message, location="query")
