"""From what a request says of a build to the build as it is kept.

Checked, its substitutions put in, its references found: the bucket of its log, its source. What is
the service's to say is dropped from what was given, as Google does.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gcp_local import clock
from gcp_local.builds import substitutions
from gcp_local.builds.checks import check_definition, check_resolved
from gcp_local.builds.fetching import settle
from gcp_local.builds.keeping import GLOBAL
from gcp_local.builds.messages import Approval, Build, Logging, LogsBucket, Status
from gcp_local.errors import InvalidArgument
from gcp_local.rpc.protos import Message, copy_of, timestamp

if TYPE_CHECKING:
    from gcp_local.builds.workshop import Workshop

_GIVEN = (
    "source", "steps", "timeout", "images", "queue_ttl", "artifacts", "logs_bucket", "options",
    "substitutions", "tags", "secrets", "service_account", "available_secrets", "git_config",
    "dependencies",
)  # fmt: skip
_DEFAULT_SECONDS = 3600
_LOCATION = re.compile(r"[a-z]+-[a-z]+[0-9]+|global")
_UNLOGGED = (Logging.NONE, Logging.CLOUD_LOGGING_ONLY, Logging.STACKDRIVER_ONLY)


@dataclass(frozen=True)
class Triggered:
    """What a build has from the trigger that made it."""

    trigger_id: str = ""
    approval_required: bool = False
    built_in: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Made:
    """A new build, and the values of all its substitutions."""

    build: Message
    values: Mapping[str, str]


def make(shop: Workshop, parent: str, said: Message, triggered: Triggered) -> Made:
    """Make a build that is not kept yet.

    Args:
        shop: the stores.
        parent: `projects/NUMBER/locations/LOCATION`.
        said: the build as the request has it.
        triggered: what it has from its trigger.

    Raises:
        InvalidArgument: Cloud Build would refuse it.
        Unimplemented: this stand-in has not what it asks for.

    """
    _, number, _, location = parent.split("/")
    if not _LOCATION.fullmatch(location):
        raise InvalidArgument.of_field("parent", f"Invalid location: {location!r}.")
    build = _given(said)
    check_definition(build)
    build.id = str(uuid.uuid4())
    build.project_id = shop.projects.id(number)
    build.name = f"{parent}/builds/{build.id}"
    values = _substitute(build, number, location, triggered.built_in)
    check_resolved(build)
    settle(build, shop.objects, shop.commits)
    _find_log(build, number, location, shop)
    _complete(build, number, location, triggered)
    return Made(build, values)


def default_account(number: str) -> str:
    """Give the e-mail address of the account that builds have if they name none."""
    return f"{number}-compute@developer.gserviceaccount.com"


def values_of(build: Message) -> dict[str, str]:
    """Give the substitutions of a kept build, which has them all settled."""
    _, number, _, location, *_ = build.name.split("/")
    return {**_built_in(build, number, location), **build.substitutions}


def _given(said: Message) -> Message:
    """Give what the request may say of a build; `images` is in two places, as Google has it."""
    build = copy_of(said)
    for known in Build.DESCRIPTOR.fields:
        if known.name not in _GIVEN:
            build.ClearField(known.name)
    for step in build.steps:
        for name in ("timing", "pull_timing", "status", "exit_code"):
            step.ClearField(name)
    if build.artifacts.HasField("objects"):
        build.artifacts.objects.ClearField("timing")
    if build.images and not build.artifacts.images:
        build.artifacts.images.extend(build.images)
    elif build.artifacts.images and not build.images:
        build.images.extend(build.artifacts.images)
    return build


def _built_in(build: Message, number: str, location: str) -> dict[str, str]:
    account = build.service_account.rpartition("/")[2] or default_account(number)
    return {
        "PROJECT_ID": build.project_id,
        "PROJECT_NUMBER": number,
        "BUILD_ID": build.id,
        "LOCATION": location,
        "SERVICE_ACCOUNT_EMAIL": account,
        "SERVICE_ACCOUNT": f"projects/{build.project_id}/serviceAccounts/{account}",
    }


def _substitute(
    build: Message, number: str, location: str, of_trigger: Mapping[str, str]
) -> dict[str, str]:
    """Put the substitutions in; give the values of them all."""
    mapped = bool(build.options.automap_substitutions) or any(
        step.automap_substitutions for step in build.steps
    )
    substitutions.check_matched(build, mapped=mapped)
    dynamic = bool(build.options.dynamic_substitutions)
    fixed = {**of_trigger, **_built_in(build, number, location)}
    # The account itself may be made of others.
    build.service_account = substitutions.applied(
        build.service_account, {**fixed, **build.substitutions}, dynamic=dynamic
    )
    fixed |= _built_in(build, number, location)
    values = substitutions.settled({**fixed, **build.substitutions}, dynamic=dynamic)
    substitutions.change_texts(
        build, lambda text: substitutions.applied(text, values, dynamic=dynamic)
    )
    kept = {name: values[name] for name in (*of_trigger, *build.substitutions)}
    build.substitutions.clear()
    build.substitutions.update(kept)
    return values


def _find_log(build: Message, number: str, location: str, shop: Workshop) -> None:
    """Find the bucket of the log; make it where the service makes it."""
    options = build.options
    if options.logging == Logging.LOGGING_UNSPECIFIED:
        options.logging = Logging.LEGACY
    if build.logs_bucket:
        uri = build.logs_bucket
        build.logs_bucket = uri if uri.startswith("gs://") else f"gs://{uri}"
        bucket = build.logs_bucket.removeprefix("gs://").partition("/")[0]
        if shop.buckets.find(bucket) is None:
            account = build.service_account.rpartition("/")[2] or default_account(number)
            raise InvalidArgument.of_field(
                "build.logs_bucket",
                f'invalid bucket "{bucket}"; it does not exist, or the service account {account}'
                " has no access to it",
            )
        return
    if options.logging in _UNLOGGED:
        return
    regional = LogsBucket.REGIONAL_USER_OWNED_BUCKET
    if options.default_logs_bucket_behavior == regional and location != GLOBAL:
        bucket = f"{number}-{location}-cloudbuild-logs"
        if shop.buckets.find(bucket) is None:
            shop.buckets.create(bucket, build.project_id, location=location)
    else:
        bucket = f"{number}.cloudbuild-logs.googleusercontent.com"
        shop.buckets.ensure_googles(bucket, build.project_id)
    build.logs_bucket = f"gs://{bucket}"


def _complete(build: Message, number: str, location: str, triggered: Triggered) -> None:
    """Say what the service says of a new build."""
    build.create_time.CopyFrom(timestamp(clock.now()))
    build.status = Status.QUEUED
    if not build.timeout.seconds:
        build.timeout.seconds = _DEFAULT_SECONDS
    if not build.HasField("queue_ttl"):
        build.queue_ttl.seconds = _DEFAULT_SECONDS
    build.build_trigger_id = triggered.trigger_id
    if triggered.approval_required:
        build.status = Status.PENDING
        build.approval.state = Approval.PENDING
        build.approval.config.approval_required = True
    region = "" if location == GLOBAL else f";region={location}"
    build.log_url = (
        f"https://console.cloud.google.com/cloud-build/builds{region}/{build.id}?project={number}"
    )
