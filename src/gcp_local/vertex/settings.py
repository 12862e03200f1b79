"""What a pipeline job says of where and as whom it runs: held against Google's forms.

None of it has an effect here; but a name that Vertex AI would not take is not taken here either.
Sources: https://cloud.google.com/vertex-ai/docs/reference/rest/v1/projects.locations.pipelineJobs,
https://cloud.google.com/kms/docs/getting-resource-ids and
https://cloud.google.com/compute/docs/naming-resources.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gcp_local.errors import InvalidArgument

if TYPE_CHECKING:
    from gcp_local.rpc.protos import Message

_NAME = r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?"
_PROJECT = r"([a-z][a-z0-9.-]*:)?[a-z0-9][a-z0-9-]{3,28}[a-z0-9]"
_ACCOUNT = re.compile(r"[a-z0-9][a-z0-9.-]*@[a-z0-9][a-z0-9.-]*\.gserviceaccount\.com")
_FOLDER = re.compile(r"gs://[^/]+(/.*)?")
_KEY = re.compile(
    rf"projects/{_PROJECT}/locations/(?P<place>[a-z0-9-]+)/keyRings/[a-zA-Z0-9_-]{{1,63}}"
    r"/cryptoKeys/[a-zA-Z0-9_-]{1,63}"
)
_NETWORK = re.compile(rf"projects/[0-9]+/global/networks/{_NAME}")
_RANGE = re.compile(_NAME)
_ATTACHMENT = re.compile(
    rf"(projects/{_PROJECT}/regions/(?P<place>[a-z0-9-]+)/networkAttachments/)?{_NAME}"
)


def check_settings(job: Message, location: str) -> None:
    """Raise InvalidArgument, naming the field, for a setting that Vertex AI would refuse.

    Args:
        job: the job to be created.
        location: the region it is created in.

    """
    _check(
        "service_account",
        job.service_account,
        _ACCOUNT,
        "a service account's e-mail address",
    )
    _check(
        "runtime_config.gcs_output_directory",
        job.runtime_config.gcs_output_directory,
        _FOLDER,
        "a Cloud Storage path, gs://BUCKET/FOLDER",
    )
    _check(
        "encryption_spec.kms_key_name",
        job.encryption_spec.kms_key_name,
        _KEY,
        "projects/PROJECT/locations/PLACE/keyRings/RING/cryptoKeys/KEY",  # pragma: allowlist secret
        location,
    )
    _check(
        "network",
        job.network,
        _NETWORK,
        "projects/NUMBER/global/networks/NETWORK, with the project's number",
    )
    for name in job.reserved_ip_ranges:
        _check("reserved_ip_ranges", name or " ", _RANGE, "the name of a reserved range")
    _check(
        "psc_interface_config.network_attachment",
        job.psc_interface_config.network_attachment,
        _ATTACHMENT,
        "projects/PROJECT/regions/REGION/networkAttachments/NAME, or the name alone",
        location,
    )


def _check(
    field: str, value: str, form: re.Pattern[str], described: str, location: str = ""
) -> None:
    if not value:
        return
    match = form.fullmatch(value)
    if match is None:
        message = f"Invalid {field} {value!r}: it must be {described}."
        raise InvalidArgument.of_field(f"pipeline_job.{field}", message)
    place = match.groupdict().get("place")
    if place not in (None, location):
        message = f"Invalid {field} {value!r}: it is in {place}, the job in {location}."
        raise InvalidArgument.of_field(f"pipeline_job.{field}", message)
