"""The messages of TensorBoard, and how they nest."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from google.cloud.aiplatform_v1.types import tensorboard as tensorboard_types
from google.cloud.aiplatform_v1.types import tensorboard_data as data_types
from google.cloud.aiplatform_v1.types import tensorboard_experiment as experiment_types
from google.cloud.aiplatform_v1.types import tensorboard_run as run_types
from google.cloud.aiplatform_v1.types import tensorboard_time_series as series_types

from gcp_local.errors import InvalidArgument
from gcp_local.rpc.protos import Message, raw

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gcp_local.resources.projects import Projects

Tensorboard = raw(tensorboard_types.Tensorboard)
Experiment = raw(experiment_types.TensorboardExperiment)
Run = raw(run_types.TensorboardRun)
TimeSeries = raw(series_types.TensorboardTimeSeries)
TimeSeriesData = raw(data_types.TimeSeriesData)
Point = raw(data_types.TimeSeriesDataPoint)

_LOCATION = r"projects/[^/]+/locations/[a-z]+(?:-[a-z0-9]+)*"


@dataclass(frozen=True)
class Noun:
    """A kind of resource.

    Attributes:
        kind: its message.
        field: what requests call it; with `_id`, the id that a client chooses.
        plural: what list responses call it.
        form: of its full name.
        changeable: the fields that an update may set.
        filterable: the fields that a list can be filtered and ordered by.
        named: whether it needs a display name, which no other of the same parent has.

    """

    kind: type[Message]
    field: str
    plural: str
    form: re.Pattern[str]
    changeable: tuple[str, ...]
    filterable: Mapping[str, str]
    named: bool = False

    def name(self, projects: Projects, given: str, at: str = "name") -> str:
        """Give a resource's name with the project's number.

        Args:
            projects: knows the numbers.
            given: the name as a client gave it.
            at: where, for the error's text.

        Raises:
            InvalidArgument: it is not such a name.

        """
        if not self.form.fullmatch(given):
            noun = self.kind.DESCRIPTOR.name
            raise InvalidArgument.of_field(at, f"Invalid {noun} name {given!r}.")
        return projects.numbered(given)


def _form(*collections: str) -> re.Pattern[str]:
    return re.compile(_LOCATION + "".join(rf"/{name}/[^/]+" for name in collections))


def _fields(*names: str) -> dict[str, str]:
    return {name: name for name in names}


_SHOWN = ("display_name", "create_time", "update_time", "labels")
TENSORBOARDS = Noun(
    Tensorboard,
    "tensorboard",
    "tensorboards",
    _form("tensorboards"),
    ("display_name", "description", "labels", "is_default"),
    _fields(*_SHOWN, "is_default"),
)
EXPERIMENTS = Noun(
    Experiment,
    "tensorboard_experiment",
    "tensorboard_experiments",
    _form("tensorboards", "experiments"),
    ("display_name", "description", "labels"),
    _fields(*_SHOWN, "source"),
)
RUNS = Noun(
    Run,
    "tensorboard_run",
    "tensorboard_runs",
    _form("tensorboards", "experiments", "runs"),
    ("display_name", "description", "labels"),
    _fields(*_SHOWN),
    named=True,
)
TIME_SERIES = Noun(
    TimeSeries,
    "tensorboard_time_series",
    "tensorboard_time_series",
    _form("tensorboards", "experiments", "runs", "timeSeries"),
    ("display_name", "description", "plugin_data"),
    _fields("display_name", "create_time", "update_time", "value_type", "plugin_name"),
    named=True,
)
