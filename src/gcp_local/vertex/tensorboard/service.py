"""Vertex AI's TensorboardService: its nouns, put together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gcp_local.vertex.tensorboard.data import TensorboardDataService
from gcp_local.vertex.tensorboard.experiments import TensorboardExperimentService
from gcp_local.vertex.tensorboard.runs import TensorboardRunService
from gcp_local.vertex.tensorboard.tensorboards import TensorboardService
from gcp_local.vertex.tensorboard.time_series import TensorboardTimeSeriesService

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gcp_local.vertex.platform import Platform


def tensorboard_services(platform: Platform) -> Sequence[object]:
    """Give the objects that answer `google.cloud.aiplatform.v1.TensorboardService`."""
    return [
        TensorboardService(platform),
        TensorboardExperimentService(platform),
        TensorboardRunService(platform),
        TensorboardTimeSeriesService(platform),
        TensorboardDataService(platform),
    ]
