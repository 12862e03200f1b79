"""Where a batch prediction reads its inputs and leaves its outputs: held against Google's rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gcp_local.errors import InvalidArgument, Unimplemented
from gcp_local.vertex.addresses import check_destination, check_object, check_table
from gcp_local.vertex.jobs import tables
from gcp_local.vertex.jobs.results import FORMATS
from gcp_local.vertex.settings import check_folder

if TYPE_CHECKING:
    from gcp_local.rpc.protos import Message

_SOURCES = {"gcs_source": "gs", "bigquery_source": "bq"}
_DESTINATIONS = {"gcs_destination": "gs", "bigquery_destination": "bq"}
_NOT_HERE = {
    "input_config": "vertex_multimodal_dataset_source",
    "output_config": "vertex_multimodal_dataset_destination",
}


def check_places(job: Message, at: str) -> None:
    """Hold a job's source, destination and formats to the rules.

    Raises:
        InvalidArgument: one is missing, is no address, or has another kind's format.
        Unimplemented: one of Vertex AI's that is not here.

    """
    for config, name in _NOT_HERE.items():
        if getattr(job, config).HasField(name):
            raise Unimplemented(
                f"{at}.{config}.{name} is not implemented: batch predictions read from and write"
                " to Cloud Storage and BigQuery here."
            )
    read, write = job.input_config, job.output_config
    source, target = read.WhichOneof("source"), write.WhichOneof("destination")
    if source is None:
        at += ".input_config.gcs_source.uris"
        raise InvalidArgument.of_field(at, "There must be a source with uris.")
    if target is None:
        at += ".output_config.gcs_destination.output_uri_prefix"
        raise InvalidArgument.of_field(at, "There must be a destination.")
    _check_source(job, source, f"{at}.input_config")
    _check_destination(job, target, f"{at}.output_config")
    _check_pairs(job, at)


def _check_source(job: Message, source: str, at: str) -> None:
    if source == "bigquery_source":
        check_table(job.input_config.bigquery_source.input_uri, f"{at}.{source}.input_uri")
        return
    uris = job.input_config.gcs_source.uris
    at += ".gcs_source.uris"
    if not uris:
        raise InvalidArgument.of_field(at, "There must be a source with uris.")
    for uri in uris:
        check_object(uri, at)


def _check_destination(job: Message, target: str, at: str) -> None:
    config = job.output_config
    if target == "bigquery_destination":
        check_destination(config.bigquery_destination.output_uri, f"{at}.{target}.output_uri")
        known: tuple[str, ...] = (tables.FORMAT,)
    else:
        prefix = config.gcs_destination.output_uri_prefix
        if not prefix:
            at += ".gcs_destination.output_uri_prefix"
            raise InvalidArgument.of_field(at, "There must be a destination.")
        check_folder(prefix, f"{at}.gcs_destination.output_uri_prefix")
        known = FORMATS
    form = config.predictions_format
    if form not in known:
        message = f"Invalid predictions_format {form!r}: one of {', '.join(known)}."
        raise InvalidArgument.of_field(f"{at}.predictions_format", message)


def _check_pairs(job: Message, at: str) -> None:
    from_table = job.input_config.HasField("bigquery_source")
    form = job.input_config.instances_format
    if from_table != (form == tables.FORMAT):
        field = f"{at}.input_config.instances_format"
        message = f"The format {form!r} does not go with the source."
        raise InvalidArgument.of_field(field, message)
    if job.output_config.HasField("bigquery_destination") and not from_table:
        raise Unimplemented(
            f"{at}.output_config.bigquery_destination is implemented for inputs from BigQuery only:"
            " those of files have no columns' types."
        )
