"""A batch prediction carried out: inputs from Cloud Storage, through a model server, and back."""

from __future__ import annotations

import fnmatch
import gzip
import json
import re
import shutil
import threading
import uuid
import zlib
from contextlib import closing
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from google.cloud.aiplatform_v1.types import model as model_types
from google.rpc import code_pb2  # type: ignore[import-untyped]

from gcp_local.containers.processes import StoppedError
from gcp_local.errors import ApiError
from gcp_local.rpc.protos import to_json
from gcp_local.vertex.jobs import tables
from gcp_local.vertex.jobs.execution import check_bucket
from gcp_local.vertex.jobs.instances import (
    RECORDS,
    Conversion,
    Input,
    UnreadableError,
    read,
    records,
)
from gcp_local.vertex.jobs.lifecycle import JobFailedError
from gcp_local.vertex.jobs.outputs import FileOutputs, Gathered, TableOutputs
from gcp_local.vertex.jobs.results import Results
from gcp_local.vertex.serving.contract import Occasion
from gcp_local.vertex.serving.server import ModelServer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from gcp_local.bigquery.engine import RowRelation
    from gcp_local.rpc.protos import Message
    from gcp_local.vertex.jobs.lifecycle import Run
    from gcp_local.vertex.platform import Platform

DEFAULT_BATCH = 64
_PREDICTION_SECONDS = 600.0
_MAX_PARTIAL_FAILURES = 20
_AUTOML = model_types.ModelSourceInfo.ModelSourceType.AUTOML
# Of a gzip file, besides an OSError, which it shares with a disk that is broken.
_UNREADABLE = (
    ApiError, UnreadableError, UnicodeDecodeError, gzip.BadGzipFile, EOFError, zlib.error,
)  # fmt: skip
_WILD = re.compile(r"[*?\[]")


def predict(run: Run, model: Message, conversion: Conversion, platform: Platform) -> None:
    """Predict on all inputs of a job.

    Raises:
        JobFailedError: no input, no prediction, or the model server ended.
        ApiError: the model cannot be served.
        StoppedError: the job was asked to end.

    """
    if model.model_source_info.source_type == _AUTOML:
        conversion = replace(conversion, kind="object")
    folder = platform.work / "jobs" / uuid.uuid4().hex
    folder.mkdir(parents=True)
    try:
        stopped = threading.Event()
        run.on_stop(stopped.set)
        table = _table(run.job, platform)
        outputs = _outputs(run, model, conversion, table, platform, folder)
        inputs = _inputs(run, conversion, table, platform)
        with ModelServer.started(platform, model, _occasion(run.job), stopped=stopped) as server:
            # Closing waits for the container's end, and who cancels must not.
            run.on_stop(threading.Thread(target=server.close, daemon=True).start)
            run.begin()
            with closing(outputs.results):
                _predict_all(run, inputs, server, outputs.results)
        _publish(run, outputs)
    except UnreadableError as error:
        raise JobFailedError(str(error)) from error
    except OSError as error:
        raise JobFailedError(str(error), "INTERNAL") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _table(job: Message, platform: Platform) -> RowRelation | None:
    """Read the table of the inputs, if they are one."""
    if not job.input_config.HasField("bigquery_source"):
        return None
    return platform.tables.read(job.input_config.bigquery_source.input_uri)


def _outputs(
    run: Run,
    model: Message,
    conversion: Conversion,
    table: RowRelation | None,
    platform: Platform,
    folder: Path,
) -> FileOutputs | TableOutputs:
    """Find out where the outputs go, before there are any."""
    config = run.job.output_config
    if table is not None and config.HasField("bigquery_destination"):
        automl = model.model_source_info.source_type == _AUTOML
        described: Any = to_json(model.metadata) if automl else {}
        _, _, _, location, _, _ = run.job.name.split("/")
        place = tables.destination(platform.tables, run.job, model.display_name, location)
        gathered = tables.TableResults(
            tables.columns(table, conversion), described.get("targetColumn", "")
        )
        return TableOutputs(gathered, place, platform.tables)
    check_bucket(config.gcs_destination.output_uri_prefix, platform)
    form = config.predictions_format
    written = Results(folder, form, keyed=bool(conversion.key))
    return FileOutputs(written, _folder(run.job, model), form, platform.objects)


def _occasion(job: Message) -> Occasion:
    _, project, _, location, _, identity = job.name.split("/")
    machine = job.dedicated_resources.machine_spec.machine_type
    return Occasion(project, location, identity, identity, machine)


def _found(patterns: Sequence[str], platform: Platform) -> list[str]:
    """List the objects that the sources name; a source may hold wildcards."""
    found = []
    for pattern in patterns:
        bucket, _, name = pattern.removeprefix("gs://").partition("/")
        prefix = _WILD.split(name)[0]
        listed = platform.objects.list(bucket, prefix)
        matching = [each.name for each in listed if fnmatch.fnmatchcase(each.name, name)]
        if not matching:
            raise JobFailedError(f"No object matches {pattern}.", "NOT_FOUND")
        found += [f"gs://{bucket}/{each}" for each in matching]
    return found


def _inputs(
    run: Run, conversion: Conversion, table: RowRelation | None, platform: Platform
) -> Iterator[Input]:
    if table is not None:
        return tables.inputs(table, conversion)
    uris = _found(run.job.input_config.gcs_source.uris, platform)
    return _of_files(uris, run, conversion, platform)


def _of_files(
    uris: Sequence[str], run: Run, conversion: Conversion, platform: Platform
) -> Iterator[Input]:
    def content(uri: str) -> bytes:
        if not uri.startswith("gs://"):
            raise UnreadableError(f"{uri!r} is not a gs:// URI.")
        bucket, _, name = uri.removeprefix("gs://").partition("/")
        try:
            return platform.objects.open_path(bucket, name).read_bytes()
        except (ApiError, OSError) as error:
            raise UnreadableError(f"{uri} cannot be read: {error}") from None

    form = run.job.input_config.instances_format
    for uri in uris:
        bucket, _, name = uri.removeprefix("gs://").partition("/")
        try:
            path = platform.objects.open_path(bucket, name)
            if form in RECORDS:
                with gzip.open(path) if form.endswith("-gzip") else path.open("rb") as file:
                    yield from records(cast("BinaryIO", file))
                continue
            with path.open(encoding="utf-8-sig", newline="\n") as lines:
                yield from read(form, lines, conversion, content)
        except _UNREADABLE as error:
            _note(run, f"{uri} cannot be read: {error}")


def _note(run: Run, message: str) -> None:
    with run.changing:
        if len(run.job.partial_failures) < _MAX_PARTIAL_FAILURES:
            code = code_pb2.Code.INVALID_ARGUMENT
            run.job.partial_failures.add(code=code, message=message)


def _predict_all(run: Run, inputs: Iterator[Input], server: ModelServer, results: Gathered) -> None:
    asked = run.job.manual_batch_tuning_parameters.batch_size
    parameters: Any = None
    if run.job.HasField("model_parameters"):
        parameters = to_json(run.job.model_parameters)
    while batch := list(islice(inputs, asked or DEFAULT_BATCH)):
        if run.stopping:
            raise StoppedError
        good = [each for each in batch if not each.error]
        for each in batch:
            if each.error:
                results.fail(each, code_pb2.Code.INVALID_ARGUMENT, each.error)
        if good:
            _predict_batch(good, parameters, server, results)
        if run.stopping:
            raise StoppedError
        if not server.alive:
            raise JobFailedError(
                f"The model server ended. Its log ends with:\n{server.log_tail()}", "INTERNAL"
            )


def _predict_batch(
    batch: Sequence[Input],
    parameters: Any,
    server: ModelServer,
    results: Gathered,
) -> None:
    instances = [each.sent for each in batch]
    code, message = 0, ""
    predictions: Sequence[Any] = ()
    try:
        said = server.predict(instances, parameters, timeout=_PREDICTION_SECONDS)
        predictions = said.predictions
        if len(predictions) != len(instances):
            code = code_pb2.Code.FAILED_PRECONDITION
            message = (
                f"The model gave {len(predictions)} predictions for {len(instances)} instances."
            )
    except ApiError as error:
        code, message = code_pb2.Code.Value(error.status), error.message
    if code:
        for each in batch:
            results.fail(each, code, message)
        return
    for each, prediction in zip(batch, predictions, strict=True):
        results.predict(each, prediction)


def _publish(run: Run, outputs: FileOutputs | TableOutputs) -> None:
    """Put the outputs in their place, and the counts into the job."""
    job, results = run.job, outputs.results
    if not results.predicted and not results.failed:
        unread = job.partial_failures[0].message if job.partial_failures else "They are empty."
        raise JobFailedError(f"There are no instances in the inputs. {unread}")
    outputs.publish()
    with run.changing:
        outputs.tell(job.output_info)
        job.completion_stats.successful_count = results.predicted
        job.completion_stats.failed_count = results.failed
        run.save()
    if not results.predicted:
        raise JobFailedError(
            f"All {results.failed} predictions failed. The first: {json.dumps(results.example)}"
        )


def _folder(job: Message, model: Message) -> str:
    """Name the folder of the outputs, as Vertex AI does."""
    made = job.create_time.ToDatetime().isoformat(timespec="milliseconds")
    name = (model.display_name or "unmanaged").replace("/", "_")
    prefix = job.output_config.gcs_destination.output_uri_prefix.rstrip("/")
    return f"{prefix}/prediction-{name}-{made}Z"
