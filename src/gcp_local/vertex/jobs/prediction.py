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
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from google.cloud.aiplatform_v1.types import model as model_types
from google.rpc import code_pb2  # type: ignore[import-untyped]

from gcp_local.containers.mount import UnwritableError, write
from gcp_local.containers.processes import StoppedError
from gcp_local.errors import ApiError
from gcp_local.rpc.protos import to_json
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
from gcp_local.vertex.jobs.results import Results
from gcp_local.vertex.serving.contract import Occasion
from gcp_local.vertex.serving.server import ModelServer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

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
        check_bucket(run.job.output_config.gcs_destination.output_uri_prefix, platform)
        uris = _found(run.job.input_config.gcs_source.uris, platform)
        stopped = threading.Event()
        run.on_stop(stopped.set)
        occasion = _occasion(run.job)
        with ModelServer.started(platform, model, occasion, stopped=stopped) as server:
            # Closing waits for the container's end, and who cancels must not.
            run.on_stop(threading.Thread(target=server.close, daemon=True).start)
            run.begin()
            form = run.job.output_config.predictions_format
            with Results(folder, form, keyed=bool(conversion.key)) as results:
                inputs = _inputs(uris, run, conversion, platform)
                _predict_all(run, inputs, server, results)
        _publish(run, model, results, platform)
    except OSError as error:
        raise JobFailedError(str(error), "INTERNAL") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


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


def _predict_all(run: Run, inputs: Iterator[Input], server: ModelServer, results: Results) -> None:
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
    batch: Sequence[Input], parameters: Any, server: ModelServer, results: Results
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


def _publish(run: Run, model: Message, results: Results, platform: Platform) -> None:
    """Write the files into the bucket, and the counts into the job."""
    job = run.job
    if not results.predicted and not results.failed:
        unread = job.partial_failures[0].message if job.partial_failures else "They are empty."
        raise JobFailedError(f"There are no instances in the inputs. {unread}")
    made = job.create_time.ToDatetime().isoformat(timespec="milliseconds")
    name = (model.display_name or "unmanaged").replace("/", "_")
    prefix = job.output_config.gcs_destination.output_uri_prefix.rstrip("/")
    folder = f"{prefix}/prediction-{name}-{made}Z"
    for path in results.paths:
        kind = "text/csv" if job.output_config.predictions_format == "csv" else "application/json"
        try:
            write(platform.objects, f"{folder}/{path.name}", path, content_type=kind)
        except UnwritableError as error:
            raise JobFailedError(str(error), "NOT_FOUND") from error
    with run.changing:
        job.output_info.gcs_output_directory = folder
        job.completion_stats.successful_count = results.predicted
        job.completion_stats.failed_count = results.failed
        run.save()
    if not results.predicted:
        raise JobFailedError(
            f"All {results.failed} predictions failed. The first: {json.dumps(results.example)}"
        )
