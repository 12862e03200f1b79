"""The experiment that a job says it belongs to: a context of ML Metadata that has to be there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from google.cloud.aiplatform_v1.types import context as context_types

from gcp_local.errors import InvalidArgument, NotFound
from gcp_local.rpc.protos import Message, raw

if TYPE_CHECKING:
    from gcp_local.vertex.platform import Platform

Context = raw(context_types.Context)
_NAME = re.compile(
    r"(?P<location>projects/[^/]+/locations/[^/]+)/metadataStores/[^/]+/contexts/[^/]+"
)


def check_experiment(spec: Message, parent: str, platform: Platform, *, at: str) -> None:
    """Refuse an experiment, or a run of one, that is not in the job's location.

    Args:
        spec: a `CustomJobSpec`.
        parent: the job's location, with the project's number.
        platform: where contexts are found.
        at: where in the request the specification stands.

    Raises:
        InvalidArgument: not the name of a context of that location; or a run of no experiment.
        NotFound: no such context.

    """
    if spec.experiment_run and not spec.experiment:
        message = "experiment_run can be set only if experiment is."
        raise InvalidArgument.of_field(f"{at}.experiment_run", message)
    for field in ("experiment", "experiment_run"):
        given = getattr(spec, field)
        if not given:
            continue
        match = _NAME.fullmatch(given)
        if match is None or platform.projects.numbered(match["location"]) != parent:
            message = f"Invalid {field} {given!r}: it must be the name of a context in {parent!r}."
            raise InvalidArgument.of_field(f"{at}.{field}", message)
        if platform.resources.find(platform.projects.numbered(given), Context) is None:
            raise NotFound(f"The Context {given!r} does not exist.")
