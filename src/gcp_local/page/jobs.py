"""Jobs beside pipelines: custom training, tuning, batch prediction, trainings, monitoring."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from google.cloud.aiplatform_v1.types import batch_prediction_job as batch_types
from google.cloud.aiplatform_v1.types import custom_job as custom_types
from google.cloud.aiplatform_v1.types import hyperparameter_tuning_job as tuning_types
from google.cloud.aiplatform_v1.types import model_deployment_monitoring_job as monitoring_types
from google.cloud.aiplatform_v1.types import training_pipeline as training_types

from gcp_local.page import states
from gcp_local.page.logs import stored_log
from gcp_local.page.names import parts_of, uri_cell
from gcp_local.page.run import label_cell
from gcp_local.page.view import Block, Cell, Facts, Note, Table, Text, Tone, View
from gcp_local.page.writing import at, duration, moment_of, number, plain, pretty, value_of
from gcp_local.rpc.protos import raw, to_json

if TYPE_CHECKING:
    from gcp_local.page.site import Place, Visit
    from gcp_local.rpc.protos import Message

_MOST = 50
_MOST_LOGS = 4
_HEADINGS = ("State", "Job", "Id", "Made", "Took")
_EXAMPLE = 'aiplatform.CustomJob.from_local_script("job", "train.py", "python:3.11").run()'


@dataclass(frozen=True)
class Sort:
    """One kind of job: its collection's name, what it is called, and its message."""

    plural: str
    title: str
    noun: str
    kind: type[Message]


SORTS = (
    Sort("customJobs", "Custom jobs", "Custom job", raw(custom_types.CustomJob)),
    Sort(
        "hyperparameterTuningJobs",
        "Tuning jobs",
        "Tuning job",
        raw(tuning_types.HyperparameterTuningJob),
    ),
    Sort(
        "batchPredictionJobs",
        "Batch predictions",
        "Batch prediction",
        raw(batch_types.BatchPredictionJob),
    ),
    Sort("trainingPipelines", "Trainings", "Training", raw(training_types.TrainingPipeline)),
    Sort(
        "modelDeploymentMonitoringJobs",
        "Monitoring",
        "Monitoring job",
        raw(monitoring_types.ModelDeploymentMonitoringJob),
    ),
)
BY_PLURAL: Mapping[str, Sort] = {sort.plural: sort for sort in SORTS}


def page(visit: Visit, place: Place, only: str = "") -> list[Block]:
    """List the newest jobs of a location, kind by kind; those that are none are left out."""
    blocks: list[Block] = []
    for sort in SORTS:
        if only and sort.plural != only:
            continue
        found = visit.sources.resources.newest(sort.kind, place.name, limit=_MOST)
        rows = [_row(visit, each) for _, each in found if each is not None]
        if rows or only:
            note = f"The newest {_MOST}." if len(found) == _MOST else ""
            blocks.append(Table(sort.title, _HEADINGS, rows, note=note))
    if not blocks:
        titles = ", ".join(sort.title.lower() for sort in SORTS)
        blocks.append(Table("Jobs", [], [], empty=f"None yet: {titles}.", example=_EXAMPLE))
    return blocks


def _row(visit: Visit, job: Message) -> list[Cell]:
    own = job.name.rpartition("/")[2]
    return [
        Cell(mark=states.mark_of(job)),
        visit.names.cell(job.name, job.display_name or own),
        Cell(own, code=True),
        at(moment_of(job, "create_time"), visit.now),
        Cell(_took(visit, job), number=True),
    ]


def _took(visit: Visit, job: Message) -> str:
    if "start_time" not in job.DESCRIPTOR.fields_by_name:
        return "–"
    return duration(moment_of(job, "start_time"), moment_of(job, "end_time") or visit.now)


def job_page(visit: Visit, name: str, sort: Sort) -> View:
    """Show a job."""
    job = visit.sources.resources.get(name, sort.kind)
    blocks: list[Block] = []
    if job.HasField("error") and job.error.message:
        blocks.append(Note("It failed.", Tone.BAD, job.error.message))
    known = [
        ("Id", Cell(name.rpartition("/")[2], code=True)),
        ("Made", at(moment_of(job, "create_time"), visit.now)),
        ("Took", Cell(_took(visit, job))),
    ]
    prefix = _output_of(job)
    if prefix:
        known.append(("Output", uri_cell(prefix)))
    if "model" in job.DESCRIPTOR.fields_by_name and job.model:
        known.append(("Model", visit.names.cell(job.model)))
    known.append(("Labels", label_cell(dict(job.labels))))
    blocks.append(Facts(known))
    if "trials" in job.DESCRIPTOR.fields_by_name:
        blocks += visit.part(lambda: [_trials(job)])
    blocks += visit.part(lambda: _logs(visit, name, prefix))
    blocks += visit.part(lambda: [_whole(job)])
    return View(
        job.display_name or name.rpartition("/")[2],
        blocks=blocks,
        kind=sort.noun,
        mark=states.mark_of(job),
        live=states.name_of(job) in states.LIVE and sort.plural != "modelDeploymentMonitoringJobs",
    )


def _output_of(job: Message) -> str:
    """Tell where a job puts what it makes."""
    fields = job.DESCRIPTOR.fields_by_name
    if "job_spec" in fields:
        return str(job.job_spec.base_output_directory.output_uri_prefix)
    if "trial_job_spec" in fields:
        return str(job.trial_job_spec.base_output_directory.output_uri_prefix)
    if "output_info" in fields:
        return str(job.output_info.gcs_output_directory)
    return ""


def _logs(visit: Visit, name: str, prefix: str) -> list[Block]:
    """Show the logs of a custom job's replicas; see `vertex.jobs.execution`."""
    place = parts_of(f"{prefix.rstrip('/')}/gcp-local/{name.rpartition('/')[2]}/")
    if not prefix or place is None or visit.sources.buckets.find(place[0]) is None:
        return []
    logs = []
    for described in visit.sources.objects.scan(*place):
        if described.name.endswith("/log.txt"):
            replica = described.name.split("/")[-2]
            uri = f"gs://{described.bucket}/{described.name}"
            log = stored_log(visit.sources, uri, f"Log of {replica}")
            if log is not None:
                logs.append(log)
        if len(logs) == _MOST_LOGS:
            break
    return [*logs]


def _trials(job: Message) -> Table:
    names = sorted({each.parameter_id for trial in job.trials for each in trial.parameters})
    metrics = sorted(
        {each.metric_id for trial in job.trials for each in trial.final_measurement.metrics}
    )
    rows = []
    for trial in job.trials:
        given = {each.parameter_id: plain(value_of(each.value)) for each in trial.parameters}
        measured = {each.metric_id: number(each.value) for each in trial.final_measurement.metrics}
        rows.append(
            [
                Cell(mark=states.mark_of(trial)),
                Cell(trial.id),
                *(Cell(given.get(name, "–"), number=True) for name in names),
                *(Cell(measured.get(name, "–"), number=True) for name in metrics),
            ]
        )
    return Table("Trials", ["State", "Trial", *names, *metrics], rows)


def _whole(job: Message) -> Text:
    try:
        return Text("As the API answers it", pretty(to_json(job)), folded=True)
    except ValueError as error:
        return Text("As the API answers it", f"It has no JSON form: {error}", folded=True)
