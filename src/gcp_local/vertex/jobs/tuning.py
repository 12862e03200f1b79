"""Vertex AI's JobService, as far as it is about hyperparameter tuning."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from google.cloud.aiplatform_v1.types import hyperparameter_tuning_job as job_types
from google.cloud.aiplatform_v1.types import job_service as service_types
from google.cloud.aiplatform_v1.types import study as study_types

from gcp_local import clock
from gcp_local.containers.processes import StoppedError
from gcp_local.errors import InvalidArgument
from gcp_local.resources.labels import check_labels
from gcp_local.resources.masks import masked
from gcp_local.rpc.protos import Message, copy_of, raw, timestamp
from gcp_local.vertex.jobs.custom_jobs import AT_ONCE, CustomJob
from gcp_local.vertex.jobs.execution import Extra, Reported
from gcp_local.vertex.jobs.experiments import check_experiment
from gcp_local.vertex.jobs.lifecycle import SERVER_STOPPED, JobFailedError, Jobs
from gcp_local.vertex.jobs.measurements import Measured, final, measurements
from gcp_local.vertex.jobs.search import Tried, as_argument, suggestion
from gcp_local.vertex.jobs.study import study_of
from gcp_local.vertex.jobs.worker_pools import checked_spec
from gcp_local.vertex.naming import check_display_name, location_of
from gcp_local.vertex.settings import check_encryption

if TYPE_CHECKING:
    from gcp_local.vertex.jobs.custom_jobs import CustomJobs
    from gcp_local.vertex.jobs.lifecycle import Run
    from gcp_local.vertex.jobs.search import Point
    from gcp_local.vertex.jobs.study import Study
    from gcp_local.vertex.platform import Platform

HyperparameterTuningJob = raw(job_types.HyperparameterTuningJob)
ListHyperparameterTuningJobsResponse = raw(service_types.ListHyperparameterTuningJobsResponse)
Trial = raw(study_types.Trial)
Measurement = raw(study_types.Measurement)
TrialState = study_types.Trial.State
_LONGEST_SECONDS = 7 * 24 * 3600.0  # what is said to be later was not measured by a clock
_COUNTS = ("max_trial_count", "parallel_trial_count")


class TuningJobs:
    """Hyperparameter tuning jobs; each trial is a custom job.

    Args:
        platform: the stores and the host.
        custom_jobs: what runs the trials.

    """

    def __init__(self, platform: Platform, custom_jobs: CustomJobs) -> None:
        self._platform = platform
        self._projects = platform.projects
        self._custom_jobs = custom_jobs
        self._jobs = Jobs(
            platform, HyperparameterTuningJob, "hyperparameterTuningJobs", at_once=AT_ONCE
        )

    # The RPCs

    def create_hyperparameter_tuning_job(self, request: Message) -> Message:
        """Check, keep, start."""
        parent = location_of(self._projects, request.parent)
        sent = request.hyperparameter_tuning_job
        at = "hyperparameter_tuning_job"
        check_display_name(sent.display_name, required=True)
        check_labels(sent.labels)
        location = parent.rpartition("/")[2]
        check_encryption(sent, location, at=at)
        for name in _COUNTS:
            if getattr(sent, name) < 1:
                raise InvalidArgument.of_field(f"{at}.{name}", f"{name} must be at least 1.")
        if sent.max_failed_trial_count < 0:
            raise InvalidArgument.of_field(
                f"{at}.max_failed_trial_count", "max_failed_trial_count must not be negative."
            )
        study = study_of(sent.study_spec, at=f"{at}.study_spec")
        spec = copy_of(sent.trial_job_spec)
        job = copy_of(sent)
        for field in ("name", "trials", "state", "start_time", "end_time", "error"):
            job.ClearField(field)
        checked = checked_spec(spec, location, self._platform.host, at=f"{at}.trial_job_spec")
        check_experiment(checked, parent, self._platform, at=f"{at}.trial_job_spec")
        job.trial_job_spec.CopyFrom(checked)
        job.name = self._jobs.name(parent)
        return self._jobs.start(
            job, lambda run: _Tuning(run, study, parent, self._custom_jobs).carry_out()
        ).first

    def get_hyperparameter_tuning_job(self, request: Message) -> Message:
        """Answer a job as it stands, with its trials."""
        return self._jobs.get(request.name)

    def list_hyperparameter_tuning_jobs(self, request: Message) -> Message:
        """Answer jobs without their trials, the newest first."""
        page, token = self._jobs.page(request)
        for job in page:
            job.ClearField("trials")
        page = masked(page, request.read_mask, HyperparameterTuningJob)
        return ListHyperparameterTuningJobsResponse(
            hyperparameter_tuning_jobs=page, next_page_token=token
        )

    def cancel_hyperparameter_tuning_job(self, request: Message) -> Message:
        """Ask a job and its trials to end."""
        return self._jobs.cancel(request.name)

    def delete_hyperparameter_tuning_job(self, request: Message) -> Message:
        """Forget a job that has ended; its trials' custom jobs stay."""
        return self._jobs.delete(request.name)

    # For the server

    def recover(self) -> None:
        """Fail the jobs that an earlier server left unfinished, and their trials."""

        def mend(job: Message) -> None:
            for trial in job.trials:
                if trial.state == TrialState.ACTIVE:
                    _end(trial, SERVER_STOPPED)

        self._jobs.recover(mend)

    def busy(self) -> bool:
        """Tell whether a job is under way."""
        return self._jobs.busy()

    def close(self) -> None:
        """End all jobs as failed."""
        self._jobs.close()


class _Tuning:
    """One tuning job under way: as many threads as trials run side by side."""

    def __init__(self, run: Run, study: Study, parent: str, custom_jobs: CustomJobs) -> None:
        self._run = run
        self._study = study
        self._parent = parent
        self._custom_jobs = custom_jobs
        self._lock = threading.Lock()
        self._started = 0
        self._failed: list[str] = []
        self._past: list[Tried] = []
        self._active: set[Run] = set()
        self._given_up = threading.Event()
        self._seed = run.job.study_spec.SerializeToString(deterministic=True).hex()

    def carry_out(self) -> None:
        """Run all trials to their end."""
        self._run.begin()
        job = self._run.job
        width = min(job.parallel_trial_count, job.max_trial_count, AT_ONCE)
        with ThreadPoolExecutor(width, thread_name_prefix="trials") as pool:
            for each in [pool.submit(self._go_on) for _ in range(width)]:
                each.result()
        if self._run.stopping:
            raise StoppedError
        if self._given_up.is_set() or not self._past:
            raise JobFailedError(
                f"{len(self._failed)} of {self._started} trials failed, the last one so:"
                f" {self._failed[-1]}"
            )

    def _go_on(self) -> None:
        """Run one trial after the other."""
        while not self._run.stopping and not self._given_up.is_set():
            with self._lock:
                number = self._started + 1
                if number > self._run.job.max_trial_count:
                    return
                point = suggestion(self._study, number, list(self._past), self._seed)
                if point is None:
                    return  # the grid is exhausted
                self._started = number
                trial = self._begun(number, point)
            self._try(trial, point)

    def _begun(self, number: int, point: Point) -> Message:
        """Note a new trial in the job."""
        job = self._run.job
        study_name = job.name.replace("/hyperparameterTuningJobs/", "/studies/")
        with self._run.changing:
            trial: Message = job.trials.add()
            trial.name, trial.id = f"{study_name}/trials/{number}", str(number)
            trial.state = TrialState.ACTIVE
            trial.start_time.CopyFrom(timestamp(clock.now()))
            for name, value in point.values.items():
                parameter = trial.parameters.add(parameter_id=name)
                if isinstance(value, str):
                    parameter.value.string_value = value
                else:
                    parameter.value.number_value = value
        return trial

    def _try(self, trial: Message, point: Point) -> None:
        reports: list[Reported] = []
        started = self._custom_jobs.start(
            self._parent, self._trial_job(trial, point), Extra(trial=trial.id), reports.append
        )
        with self._run.changing:
            trial.custom_job = started.first.name
            self._run.save()
        self._run.on_stop(started.stop)
        with self._lock:
            self._active.add(started)
        started.ended.wait()
        found = measurements(reports[0].metrics, self._study) if reports else []
        chosen = final(found, self._study)
        with self._lock, self._run.changing:
            self._active.discard(started)
            for each in found:
                _measure(trial.measurements.add(), each, trial)
            if chosen is not None:
                _measure(trial.final_measurement, chosen, trial)
                trial.state = TrialState.SUCCEEDED
                trial.end_time.CopyFrom(timestamp(clock.now()))
                self._past.append(Tried(point, chosen.metrics[self._study.metrics[0].name]))
            else:
                self._fail(trial, started.job, reported=bool(reports))
            self._run.save()
            needless = list(self._active) if self._given_up.is_set() else []
        for other in needless:
            other.stop()

    def _fail(self, trial: Message, job: Message, *, reported: bool) -> None:
        if self._given_up.is_set():
            _end(trial, "The trial was ended because too many others failed.")
            return
        names = ", ".join(metric.name for metric in self._study.metrics)
        unreported = f"The trial ended without a report of {names}."
        _end(trial, unreported if reported else job.error.message)
        self._failed.append(trial.infeasible_reason)
        limit = self._run.job.max_failed_trial_count
        if limit and len(self._failed) >= limit:
            self._given_up.set()

    def _trial_job(self, trial: Message, point: Point) -> Message:
        job = self._run.job
        made = CustomJob(
            display_name=f"{job.display_name:.110}-trial-{trial.id}", labels=job.labels
        )
        if job.HasField("encryption_spec"):
            made.encryption_spec.CopyFrom(job.encryption_spec)
        spec = made.job_spec
        spec.CopyFrom(job.trial_job_spec)
        arguments = [f"--{name}={as_argument(value)}" for name, value in point.values.items()]
        for pool in spec.worker_pool_specs:
            task = pool.WhichOneof("task")
            if task:
                getattr(pool, task).args.extend(arguments)
        prefix = spec.base_output_directory.output_uri_prefix
        if prefix:
            own = f"{prefix.rstrip('/')}/{trial.id}"
            spec.base_output_directory.output_uri_prefix = own
        return made


def _end(trial: Message, reason: str) -> None:
    trial.state = TrialState.INFEASIBLE
    trial.infeasible_reason = reason
    trial.end_time.CopyFrom(timestamp(clock.now()))


def _measure(message: Message, measured: Measured, trial: Message) -> None:
    message.step_count = measured.step
    elapsed = measured.moment - trial.start_time.ToNanoseconds() / 1e9
    if 0 < elapsed < _LONGEST_SECONDS:
        message.elapsed_duration.FromNanoseconds(int(elapsed * 1e9))
    for name, value in measured.metrics.items():
        message.metrics.add(metric_id=name, value=value)
