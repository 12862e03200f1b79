"""Hyperparameter tuning jobs, through Google's typed client; and the search, as a function."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from google.api_core.exceptions import BadRequest, MethodNotImplemented
from google.cloud.aiplatform_v1 import (
    HyperparameterTuningJob,
    JobServiceClient,
    JobState,
    StudySpec,
    Trial,
)
from google.cloud.storage import Bucket

from gcp_local.vertex.jobs.measurements import final, measurements
from gcp_local.vertex.jobs.search import Tried, as_argument, suggestion, value_at
from gcp_local.vertex.jobs.study import Metric, Parameter, Scale, Study, study_of

# Reports as the cloudml-hypertune library does.
TRAIN = """
import json, os, sys, time
given = dict(word[2:].split("=") for word in sys.argv[1:])
def report(value, step):
    with open(os.environ["CLOUD_ML_HP_METRIC_FILE"], "a") as file:
        print(json.dumps({"timestamp": time.time(), "trial": os.environ["CLOUD_ML_TRIAL_ID"],
                          "auc": str(value), "global_step": str(step)}), file=file)
if given["depth"] == "3":
    sys.exit("depth 3 is one too many")
report(0.1, 1)
report(int(given["depth"]) / 10 + (given["kind"] == "b"), 2)
print(json.dumps([given, json.loads(os.environ["CLUSTER_SPEC"])["task"]]))
"""
DEPTH = {"parameter_id": "depth", "integer_value_spec": {"min_value": 1, "max_value": 2}}
KIND = {"parameter_id": "kind", "categorical_value_spec": {"values": ["a", "b"]}}
AUC = {"metric_id": "auc", "goal": "MAXIMIZE"}


def tuning_job(bucket: Bucket | None = None, *, source: str = TRAIN, **said: Any) -> dict[str, Any]:
    container = {"image_uri": "python:3.11", "command": ["python3", "-c", source]}
    pool = {"container_spec": container, "machine_spec": {"machine_type": "n1-standard-4"}}
    spec: dict[str, Any] = {"worker_pool_specs": [pool]}
    if bucket is not None:
        spec["base_output_directory"] = {"output_uri_prefix": f"gs://{bucket.name}/base/"}
    study = {"metrics": [AUC], "parameters": [DEPTH, KIND], "algorithm": "GRID_SEARCH"}
    return {
        "display_name": "tuning",
        "study_spec": {**study, **said.pop("study", {})},
        "max_trial_count": 10,
        "parallel_trial_count": 2,
        "trial_job_spec": spec,
        **said,
    }


@pytest.fixture
def tuned(jobs: JobServiceClient, parent: str) -> Callable[..., HyperparameterTuningJob]:
    """Runs a job to its end; `when` may do something with it as soon as it has a trial."""

    def run(
        job: dict[str, Any], when: Callable[[str], object] | None = None
    ) -> HyperparameterTuningJob:
        made = jobs.create_hyperparameter_tuning_job(
            request={"parent": parent, "hyperparameter_tuning_job": job}
        )
        for _ in range(1000):
            found = jobs.get_hyperparameter_tuning_job(name=made.name)
            if when is not None and found.trials and found.trials[0].custom_job:
                when(found.name)
                when = None
            if found.state not in (
                JobState.JOB_STATE_QUEUED,
                JobState.JOB_STATE_PENDING,
                JobState.JOB_STATE_RUNNING,
                JobState.JOB_STATE_CANCELLING,
            ):
                return found
            time.sleep(0.02)
        raise AssertionError(f"{made.name} is still {found.state.name}")

    return run


def test_a_grid_is_tried_to_its_end_and_measured(
    jobs: JobServiceClient, tuned: Callable[..., HyperparameterTuningJob], bucket: Bucket
) -> None:
    job = tuned(tuning_job(bucket))
    assert job.state == JobState.JOB_STATE_SUCCEEDED, job.error
    assert sorted(trial.id for trial in job.trials) == ["1", "2", "3", "4"]
    tried: dict[Any, float] = {}
    for trial in job.trials:
        assert trial.state == Trial.State.SUCCEEDED
        assert [each.step_count for each in trial.measurements] == [1, 2]
        assert trial.final_measurement.step_count == 2
        values = {each.parameter_id: each.value for each in trial.parameters}
        [metric] = trial.final_measurement.metrics
        assert metric.metric_id == "auc"
        tried[values["depth"], values["kind"]] = metric.value
    assert tried == {(1.0, "a"): 0.1, (2.0, "a"): 0.2, (1.0, "b"): 1.1, (2.0, "b"): 1.2}
    custom = jobs.get_custom_job(name=job.trials[0].custom_job)
    assert custom.state == JobState.JOB_STATE_SUCCEEDED
    assert custom.job_spec.worker_pool_specs[0].container_spec.args == ["--depth=1", "--kind=a"]
    assert custom.job_spec.base_output_directory.output_uri_prefix == f"gs://{bucket.name}/base/1"
    log = bucket.blob(
        f"base/1/gcp-local/{custom.name.rpartition('/')[2]}/workerpool0-0/log.txt"
    ).download_as_text()
    assert json.loads(log) == [
        {"depth": "1", "kind": "a"},
        {"type": "workerpool0", "index": 0, "trial": "1"},
    ]
    [listed] = jobs.list_hyperparameter_tuning_jobs(parent=job.name.rpartition("/hyper")[0])
    assert listed.name == job.name
    assert not listed.trials


def test_trials_that_fail_are_infeasible_and_too_many_fail_the_job(
    tuned: Callable[..., HyperparameterTuningJob],
) -> None:
    deep = {"parameter_id": "depth", "discrete_value_spec": {"values": [1, 3]}}
    job = tuned(tuning_job(study={"parameters": [deep, KIND]}, parallel_trial_count=1))
    assert job.state == JobState.JOB_STATE_SUCCEEDED, job.error
    states = [trial.state for trial in job.trials]
    assert states == [Trial.State.SUCCEEDED] * 2 + [Trial.State.INFEASIBLE] * 2
    assert "depth 3 is one too many" in job.trials[2].infeasible_reason

    job = tuned(tuning_job(study={"parameters": [deep, KIND]}, max_failed_trial_count=1))
    assert job.state == JobState.JOB_STATE_FAILED
    assert "depth 3 is one too many" in job.error.message

    job = tuned(tuning_job(source="pass", max_trial_count=1))
    assert job.state == JobState.JOB_STATE_FAILED
    assert "without a report of auc" in job.error.message


def test_a_cancelled_job_ends_its_trials(
    jobs: JobServiceClient, tuned: Callable[..., HyperparameterTuningJob]
) -> None:
    job = tuned(
        tuning_job(source="import time; time.sleep(600)"),
        when=lambda name: jobs.cancel_hyperparameter_tuning_job(name=name),
    )
    assert job.state == JobState.JOB_STATE_CANCELLED
    assert job.trials
    for trial in job.trials:
        assert trial.state == Trial.State.INFEASIBLE
        assert jobs.get_custom_job(name=trial.custom_job).state == JobState.JOB_STATE_CANCELLED
    jobs.delete_hyperparameter_tuning_job(name=job.name)
    parent = job.name.rpartition("/hyper")[0]
    assert list(jobs.list_hyperparameter_tuning_jobs(parent=parent)) == []


def double(**said: Any) -> dict[str, Any]:
    return {
        "parameter_id": "rate",
        "double_value_spec": {"min_value": 0.0, "max_value": 1.0},
        **said,
    }


def depending_on_itself() -> dict[str, Any]:
    """A parameter with one of the same id below it."""
    below = {"parameter_spec": KIND, "parent_categorical_values": {"values": ["a"]}}
    return {**KIND, "conditional_parameter_specs": [below]}


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"max_trial_count": 0}, "max_trial_count"),
        ({"parallel_trial_count": 0}, "parallel_trial_count"),
        ({"study": {"metrics": []}}, "study_spec.metrics"),
        ({"study": {"metrics": [AUC, AUC]}}, "study_spec.metrics"),
        ({"study": {"metrics": [{"metric_id": "auc"}]}}, "metrics.goal"),
        ({"study": {"metrics": [{**AUC, "metric_id": "a u c"}]}}, "metrics.metric_id"),
        ({"study": {"parameters": []}}, "study_spec.parameters"),
        ({"study": {"parameters": [{"parameter_id": "x"}]}}, "study_spec.parameters"),
        ({"study": {"parameters": [KIND, KIND]}}, "study_spec.parameters"),
        ({"study": {"parameters": [depending_on_itself()]}}, "study_spec.parameters"),
        ({"study": {"parameters": [double()]}}, "study_spec.algorithm"),  # no grid
        (
            {"study": {"parameters": [double(scale_type="UNIT_LOG_SCALE")], "algorithm": 3}},
            "double_value_spec.scale_type",
        ),
        (
            {"study": {"parameters": [{**KIND, "scale_type": "UNIT_LINEAR_SCALE"}]}},
            "categorical_value_spec.scale_type",
        ),
        (
            {
                "study": {
                    "parameters": [
                        {
                            "parameter_id": "n",
                            "integer_value_spec": {"min_value": 3, "max_value": 2},
                        }
                    ]
                }
            },
            "integer_value_spec",
        ),
        (
            {
                "study": {
                    "parameters": [{"parameter_id": "n", "discrete_value_spec": {"values": [2, 1]}}]
                }
            },
            "discrete_value_spec.values",
        ),
        ({"trial_job_spec": {}}, "trial_job_spec.worker_pool_specs"),
    ],
)
def test_a_study_that_vertex_ai_would_refuse_is_refused(
    jobs: JobServiceClient, parent: str, said: dict[str, Any], field: str
) -> None:
    with pytest.raises(BadRequest) as refused:
        jobs.create_hyperparameter_tuning_job(
            request={"parent": parent, "hyperparameter_tuning_job": tuning_job(**said)}
        )
    [detail] = refused.value.details
    assert detail["fieldViolations"][0]["field"].endswith(field)


def test_early_stopping_is_said_not_to_be_there(jobs: JobServiceClient, parent: str) -> None:
    job = tuning_job(study={"median_automated_stopping_spec": {"use_elapsed_duration": True}})
    with pytest.raises(MethodNotImplemented, match="median_automated_stopping_spec"):
        jobs.create_hyperparameter_tuning_job(
            request={"parent": parent, "hyperparameter_tuning_job": job}
        )


# The search


CONDITIONAL = StudySpec(
    {
        "metrics": [AUC],
        "algorithm": "GRID_SEARCH",
        "parameters": [
            {
                **KIND,
                "conditional_parameter_specs": [
                    {"parent_categorical_values": {"values": ["b"]}, "parameter_spec": DEPTH}
                ],
            }
        ],
    }
)


def test_a_conditional_parameter_is_there_only_for_its_parents_values() -> None:
    study = study_of(StudySpec.pb(CONDITIONAL), at="study_spec")
    points = [suggestion(study, number, [], "") for number in range(1, 5)]
    values = [dict(point.values) if point else None for point in points]
    assert values == [{"kind": "a"}, {"kind": "b", "depth": 1}, {"kind": "b", "depth": 2}, None]


def test_a_grid_without_end_is_not_written_out() -> None:
    endless = Parameter("n", 0, 10**18, whole=True)
    study = Study((endless, Parameter("k", values=("a", "b"))), (), 2, False)
    point = suggestion(study, 4, [], "")
    assert point is not None
    assert dict(point.values) == {"n": 1, "k": "b"}


@pytest.mark.parametrize(
    ("parameter", "unit", "value"),
    [
        (Parameter("x", 0, 10), 0.25, 2.5),
        (Parameter("x", 1, 10000, scale=Scale.UNIT_LOG_SCALE), 0.5, 100.0),
        (Parameter("x", 1, 10000, scale=Scale.UNIT_REVERSE_LOG_SCALE), 0.5, 9901.0),
        (Parameter("x", 1, 4, whole=True), 0.0, 1),
        (Parameter("x", 1, 4, whole=True), 1.0, 4),
        (Parameter("x", values=("a", "b", "c")), 0.5, "b"),
        (Parameter("x", values=("a", "b", "c")), 1.0, "c"),
    ],
)
def test_a_value_lies_where_its_scale_says(parameter: Parameter, unit: float, value: Any) -> None:
    found = value_at(parameter, unit)
    assert found == (pytest.approx(value) if isinstance(value, float) else value)
    assert type(found) is type(value)


def test_the_search_is_the_same_each_time_and_comes_nearer() -> None:
    study = Study((Parameter("x", 0, 1),), (Metric("loss", maximize=False),), 0, False)
    past: list[Tried] = []
    for number in range(1, 31):
        point = suggestion(study, number, past, "seed")
        assert point is not None
        assert point == suggestion(study, number, list(past), "seed")
        past.append(Tried(point, (float(point.values["x"]) - 0.7) ** 2))
    assert min(tried.objective for tried in past) < 0.001
    assert suggestion(study, 1, [], "another") != suggestion(study, 1, [], "seed")


@pytest.mark.parametrize(
    ("value", "text"), [(3, "3"), (64.0, "64"), (0.001, "0.001"), (1e-07, "1e-07"), ("b c", "b c")]
)
def test_whole_numbers_are_handed_over_without_a_point(value: Any, text: str) -> None:
    assert as_argument(value) == text


REPORTS = """
{"timestamp": 1, "auc": "0.9", "global_step": "1"}
not JSON
{"timestamp": 2, "loss": "0.5", "global_step": "1"}
{"timestamp": 3, "auc": "nan", "global_step": "2"}
{"timestamp": 4, "auc": "0.7", "loss": 0.4, "global_step": "2", "other": "1"}
"""


@pytest.mark.parametrize(("best", "auc"), [(False, 0.7), (True, 0.9)])
def test_reports_of_one_step_are_one_measurement_and_one_counts(best: bool, auc: float) -> None:
    metrics = (Metric("auc", maximize=True), Metric("loss", maximize=False))
    study = Study((), metrics, 0, best)
    found = measurements(REPORTS, study)
    assert [dict(each.metrics) for each in found] == [
        {"auc": 0.9, "loss": 0.5},
        {"auc": 0.7, "loss": 0.4},
    ]
    chosen = final(found, study)
    assert chosen is not None
    assert chosen.metrics["auc"] == auc
    assert final(measurements('{"auc": "1"}', study), study) is None
