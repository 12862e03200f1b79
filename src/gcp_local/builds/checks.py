"""What Cloud Build refuses of a build beyond its proto, and what this stand-in does not have.

The limits are those of https://cloud.google.com/build/quotas and of the field's documentation;
`check_definition` looks at a build as it was given, `check_resolved` after its substitution.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NoReturn

from gcp_local.builds.messages import Logging, LogsBucket
from gcp_local.builds.step_checks import MAX_SECONDS, check_steps, seconds_of
from gcp_local.builds.substitutions import check_given
from gcp_local.errors import InvalidArgument, Unimplemented

if TYPE_CHECKING:
    from gcp_local.rpc.protos import Message

_MOST_IMAGES, _LONGEST_IMAGE, _MOST_TAGS, _MOST_PATHS, _MOST_SECRETS = 100, 1000, 64, 100, 100
_MOST_DISK = 4000
_TAG = re.compile(r"[\w][\w.-]{0,127}", re.ASCII)
_IMAGE = re.compile(
    r"[a-z0-9]+([._-]+[a-z0-9]+)*(:\d+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*"
    r"(:[\w][\w.-]{0,127})?(@sha256:[0-9a-f]{64})?",
    re.ASCII,
)
_ACCOUNT = re.compile(r"projects/[^/]+/serviceAccounts/([^/@\s]+@[^/@\s]+\.[^/@\s]+|\d{10,30})")
_SECRET = re.compile(r"projects/[^/]+/(locations/[^/]+/)?secrets/[\w-]{1,255}/versions/[\w-]+")
_BUCKET = re.compile(r"(gs://)?[^/\s]+(/[^\s]*)?")
_UNLOGGED = (Logging.CLOUD_LOGGING_ONLY, Logging.STACKDRIVER_ONLY, Logging.NONE)


def refuse(field: str, message: str) -> NoReturn:
    """Raise what Cloud Build answers to a field's wrong value."""
    where = f"build.{field}"
    raise InvalidArgument.of_field(where, f"invalid value for '{where}': {message}")


def check_definition(build: Message) -> None:
    """Refuse a build as it was given.

    Raises:
        InvalidArgument: Cloud Build would refuse it.
        Unimplemented: Cloud Build has it, this stand-in has not.

    """
    _check_missing(build)
    limit = _check_times(build)
    check_given(build.substitutions)
    _check_artifacts(build)
    check_steps(build, limit)
    _check_secrets(build)
    if build.options.disk_size_gb < 0 or build.options.disk_size_gb > _MOST_DISK:
        refuse("options.disk_size_gb", f"disk size must be at most {_MOST_DISK}GB")
    if len(build.tags) > _MOST_TAGS:
        refuse("tags", f"number of tags {len(build.tags)} exceeded (max: {_MOST_TAGS})")


def check_resolved(build: Message) -> None:
    """Refuse a build whose substitution has made something that cannot be; errors as above."""
    for index, step in enumerate(build.steps):
        if not _IMAGE.fullmatch(step.name):
            refuse(f"steps[{index}].name", f"{step.name!r} is not a valid image name")
    for index, image in enumerate(build.images):
        if not image or not _IMAGE.fullmatch(image) or "@" in image:
            refuse(f"images[{index}]", f"{image!r} is not a valid image name")
    for index, tag in enumerate(build.tags):
        if not _TAG.fullmatch(tag):
            refuse(f"tags[{index}]", f"{tag!r} must match format '^[\\w][\\w.-]{{0,127}}$'")
    for index, secret in enumerate(build.available_secrets.secret_manager):
        if not _SECRET.fullmatch(secret.version_name):
            field = f"available_secrets.secret_manager[{index}].version_name"
            refuse(field, f"{secret.version_name!r} is not projects/*/secrets/*/versions/*")
    _check_account(build)
    if build.artifacts.HasField("objects"):
        _check_objects(build.artifacts.objects)


def _check_account(build: Message) -> None:
    """Hold the identity and where the log goes together."""
    if build.logs_bucket and not _BUCKET.fullmatch(build.logs_bucket):
        refuse("logs_bucket", f"{build.logs_bucket!r} is not a Cloud Storage bucket")
    if not build.service_account:
        return
    if not _ACCOUNT.fullmatch(build.service_account):
        refuse(
            "service_account",
            f"{build.service_account!r} must have the format"
            " projects/{PROJECT_ID}/serviceAccounts/{ACCOUNT}",
        )
    regional = LogsBucket.REGIONAL_USER_OWNED_BUCKET
    options = build.options
    cared_for = options.logging in _UNLOGGED or options.default_logs_bucket_behavior == regional
    if not build.logs_bucket and not cared_for:
        raise InvalidArgument.of_field(
            "build.logs_bucket",
            "if 'build.service_account' is specified, the build must either (a) specify"
            " 'build.logs_bucket', (b) use the REGIONAL_USER_OWNED_BUCKET"
            " build.options.default_logs_bucket_behavior option, or (c) use either"
            " CLOUD_LOGGING_ONLY / NONE logging options",
        )


def _check_missing(build: Message) -> None:
    """Name what Cloud Build has and this stand-in has not."""
    options, artifacts = build.options, build.artifacts
    missing = {
        "options.pool: private pools": options.HasField("pool") and options.pool.name,
        "options.worker_pool: private pools": options.worker_pool,
        "artifacts.maven_artifacts": artifacts.maven_artifacts,
        "artifacts.python_packages": artifacts.python_packages,
        "artifacts.npm_packages": artifacts.npm_packages,
        "artifacts.go_modules": artifacts.go_modules,
        "secrets: decrypting with Cloud KMS": build.secrets,
        "available_secrets.inline: decrypting with Cloud KMS": build.available_secrets.inline,
        "git_config": build.HasField("git_config"),
        "dependencies": build.dependencies,
    }
    for what, there in missing.items():
        if there:
            raise Unimplemented(f"The embedded Cloud Build has no build.{what}.")


def _check_times(build: Message) -> float:
    """Give the longest that the build may take."""
    limit = MAX_SECONDS
    if build.HasField("timeout"):
        limit = seconds_of(build.timeout)
        if limit < 0 or limit > MAX_SECONDS:
            refuse("timeout", "value must be between 0 and 24h0m0s")
        if build.timeout.nanos:
            refuse("timeout", "value must be whole seconds")
    if build.HasField("queue_ttl") and not 0 <= seconds_of(build.queue_ttl) <= MAX_SECONDS:
        refuse("queue_ttl", "value must be between 0 and 24h0m0s")
    return limit or MAX_SECONDS


def _check_artifacts(build: Message) -> None:
    """Check the images, which two fields may name."""
    twice = build.artifacts.images
    if build.images and twice and list(build.images) != list(twice):
        refuse("images", "cannot specify different .images and .artifacts.images")
    if len(build.images) > _MOST_IMAGES:
        refuse("images", f"cannot specify more than {_MOST_IMAGES} images to build")
    for index, image in enumerate(build.images):
        if len(image) > _LONGEST_IMAGE:
            refuse(f"images[{index}]", f"image too long (max: {_LONGEST_IMAGE})")


def _check_objects(objects: Message) -> None:
    field = "artifacts.objects"
    if not objects.location.startswith("gs://") or objects.location == "gs://":
        refuse(
            f"{field}.location",
            f"{objects.location!r}: Google Cloud Storage URLs must begin with 'gs://'",
        )
    if not objects.paths or len(objects.paths) > _MOST_PATHS:
        refuse(f"{field}.paths", f"there must be between 1 and {_MOST_PATHS} paths")
    if len(set(objects.paths)) < len(objects.paths):
        refuse(f"{field}.paths", "field has duplicate paths")
    for path in objects.paths:
        if not path or any(letter.isspace() for letter in path):
            refuse(f"{field}.paths", f"{path!r} is empty or contains whitespace")


def _check_secrets(build: Message) -> None:
    """Hold declared secrets and those that steps ask for together."""
    defined = [secret.env for secret in build.available_secrets.secret_manager]
    where = "available_secrets.secret_manager"
    if len(defined) > _MOST_SECRETS:
        refuse(where, f"more than {_MOST_SECRETS} secret values")
    for env in defined:
        if not env or defined.count(env) > 1:
            refuse(where, f"secret environment variable {env!r} is empty or defined more than once")
    everywhere = list(build.options.secret_env)
    used = set(everywhere)
    for index, step in enumerate(build.steps):
        own = list(step.secret_env)
        for env in own:
            if own.count(env) > 1:
                field = f"steps[{index}].secret_env"
                refuse(field, f"step {index} uses the secretEnv {env!r} more than once")
            if env in everywhere:
                field = f"steps[{index}].secret_env"
                refuse(field, f"step {index} uses the global secretEnv {env!r}")
        used.update(own)
    for env in sorted(used - set(defined)):
        refuse("steps", f"secretEnv {env!r} is used without being defined in availableSecrets")
    for env in sorted(set(defined) - used):
        refuse(where, f"secretEnv {env!r} is defined without being used")
