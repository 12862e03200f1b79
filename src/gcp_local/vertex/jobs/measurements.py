"""What a trial reported, as the `cloudml-hypertune` library writes it.

A file of JSON objects, one a line, each with the metric's name and value, `global_step`, `trial`
and `timestamp`, numbers as strings: https://github.com/GoogleCloudPlatform/cloudml-hypertune.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gcp_local.vertex.jobs.study import Study

_LAST_STEP = 2**63 - 1


@dataclass(frozen=True)
class Measured:
    """The metrics at one step.

    Attributes:
        step: the program's own count.
        moment: when it was reported, in seconds since the epoch; 0 if that is not known.
        metrics: the values of the study's metrics, by name.

    """

    step: int
    moment: float
    metrics: Mapping[str, float]


def measurements(text: str, study: Study) -> list[Measured]:
    """Read a file of reports; what is not about the study's metrics is passed over."""
    wanted = [metric.name for metric in study.metrics]
    found: list[Measured] = []
    for line in text.splitlines():
        report = _object(line)
        metrics = {
            name: value for name in wanted if (value := _number(report.get(name))) is not None
        }
        if not metrics:
            continue
        step = min(max(0, int(_number(report.get("global_step")) or 0)), _LAST_STEP)
        moment = _number(report.get("timestamp")) or 0.0
        if found and found[-1].step == step and not metrics.keys() & found[-1].metrics.keys():
            metrics = {**found.pop().metrics, **metrics}
        found.append(Measured(step, moment, metrics))
    return found


def final(found: Sequence[Measured], study: Study) -> Measured | None:
    """Choose the measurement that counts: the last, or the best; None if a metric is missing."""
    names = {metric.name for metric in study.metrics}
    if study.best_measurement:
        whole = [each for each in found if each.metrics.keys() == names]
        first = study.metrics[0]
        sign = 1 if first.maximize else -1
        return max(whole, key=lambda each: sign * each.metrics[first.name], default=None)
    latest: dict[str, float] = {}
    for each in found:
        latest.update(each.metrics)
    return Measured(found[-1].step, found[-1].moment, latest) if latest.keys() == names else None


def _object(line: str) -> Mapping[str, Any]:
    try:
        said = json.loads(line)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _number(said: Any) -> float | None:
    try:
        value = float(said)
    except (TypeError, ValueError):
        return None
    return value if math.isfinite(value) else None
