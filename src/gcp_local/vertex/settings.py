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
        job: the pipeline job to be created.
        location: the region it is created in.

    """
    check_surroundings(job, location, at="pipeline_job")
    check_folder(
        job.runtime_config.gcs_output_directory,
        "pipeline_job.runtime_config.gcs_output_directory",
    )
    check_encryption(job, location, at="pipeline_job")


def check_surroundings(job: Message, location: str, *, at: str) -> None:
    """Check as whom and in which network something runs, as `check_settings` does.

    Args:
        job: a message with a service account, a network, ranges and a private connection.
        location: the region it is created in.
        at: where in the request the message stands.

    """
    check_account(job.service_account, f"{at}.service_account")
    _check(
        f"{at}.network",
        job.network,
        _NETWORK,
        "projects/NUMBER/global/networks/NETWORK, with the project's number",
    )
    for name in job.reserved_ip_ranges:
        _check(f"{at}.reserved_ip_ranges", name or " ", _RANGE, "the name of a reserved range")
    _check(
        f"{at}.psc_interface_config.network_attachment",
        job.psc_interface_config.network_attachment,
        _ATTACHMENT,
        "projects/PROJECT/regions/REGION/networkAttachments/NAME, or the name alone",
        location,
    )


def check_account(account: str, field: str) -> None:
    """Refuse what is not a service account's address."""
    _check(field, account, _ACCOUNT, "a service account's e-mail address")


def check_folder(uri: str, field: str) -> None:
    """Refuse what is not a place in Cloud Storage."""
    _check(field, uri, _FOLDER, "a Cloud Storage path, gs://BUCKET/FOLDER")


def check_encryption(resource: Message, location: str, *, at: str) -> None:
    """Refuse an encryption key's name that is none, or is of another region."""
    _check(
        f"{at}.encryption_spec.kms_key_name",
        resource.encryption_spec.kms_key_name,
        _KEY,
        "projects/PROJECT/locations/PLACE/keyRings/RING/cryptoKeys/KEY",  # pragma: allowlist secret
        location,
    )


def _check(
    field: str, value: str, form: re.Pattern[str], described: str, location: str = ""
) -> None:
    if not value:
        return
    name = field.partition(".")[2]
    match = form.fullmatch(value)
    if match is None:
        message = f"Invalid {name} {value!r}: it must be {described}."
        raise InvalidArgument.of_field(field, message)
    place = match.groupdict().get("place")
    if place not in (None, location):
        message = f"Invalid {name} {value!r}: it is in {place}, the job in {location}."
        raise InvalidArgument.of_field(field, message)
