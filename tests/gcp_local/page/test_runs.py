"""The pages of runs and tasks, made by Google's own client, read by an HTML parser."""

from __future__ import annotations

import time

from google.cloud.storage import Bucket

from tests.gcp_local.emulators import Emulator
from tests.gcp_local.page.reading import Seen, look
from tests.gcp_local.page.runs import HOSTILE, Runs, drawing_spec
from tests.gcp_local.pipelines import compiled


def test_a_run_shows_its_graph_its_tasks_and_its_metrics(emulator: Emulator, runs: Runs) -> None:
    address = runs.ended("all", drawing_spec(), HOSTILE, text="hello")
    seen = look(emulator, address)
    assert (seen.status, seen.title) == (200, HOSTILE)
    assert "Succeeded" in seen.root.all("div", **{"class": "head"})[0].text
    assert seen.facts["Pipeline"] == "drawing"
    [svg] = [each for each in seen.root.all("svg") if each.attributes.get("role") == "group"]
    titles = [title.text for title in svg.all("title")]
    assert any(title.startswith("Draw <b>everything</b>: Succeeded") for title in titles)
    assert any(title.startswith("There is something: Succeeded") for title in titles)
    assert any(title.startswith("There is nothing: Not triggered") for title in titles)
    assert "Output' == ''" not in seen.source  # escaped
    assert sum(title.startswith("Round ") for title in titles) == 2
    assert svg.all("path", **{"class": "arrow tone-good"})
    tasks = {row["Task"]: row["State"] for row in seen.table("Tasks")}
    assert tasks["Draw <b>everything</b>"] == "✓ Succeeded"
    assert tasks["There is nothing"] == "– Not triggered"
    assert "accuracy 0.8750" in seen.text
    assert "confusion matrix" in seen.text
    assert "area under them 0.8500" in seen.text
    [frame] = seen.root.all("iframe")
    assert frame.attributes["sandbox"] == ""
    assert "# Notes hello" in seen.text
    assert seen.table("Parameters") == [
        {"Parameter": "text", "Value": "hello", "Set by": "the job"}
    ]

    task = look(emulator, seen.links("Tasks")["Draw <b>everything</b>"])
    assert task.title == "Draw <b>everything</b>"
    assert task.facts["Name"] == "draw"
    [log] = [each for each in task.root.all("pre") if each.attributes.get("aria-label") == "Log"]
    assert "hello" in log.text
    assert task.table("Output parameters") == [{"Parameter": "Output", "Value": "hello"}]
    kinds = {row["Name"]: row["Type"] for row in task.table("Output artifacts")}
    assert kinds["scores"] == "Metrics"
    states = [row["State"] for row in task.table("What happened")]
    assert states == ["◦ Pending", "▶ Running", "✓ Succeeded"]

    artifact = look(emulator, task.links("Output artifacts")["Metrics"])
    assert artifact.title == "scores"
    [graph] = [each for each in artifact.root.all("svg") if each.attributes.get("role") == "group"]
    assert [title.text.partition(":")[0] for title in graph.all("title")] == ["scores", "draw"]
    execution = look(emulator, next(link.attributes["href"] for link in graph.all("a")[1:]))
    assert execution.facts["Type"] == "system.ContainerExecution"
    context = look(emulator, f"{runs.page}/metadataStores/default/contexts/all")
    assert {row["Execution"] for row in context.table("Executions")} >= {"draw", "echo"}


def test_why_a_run_failed_comes_first(emulator: Emulator, runs: Runs, bucket: Bucket) -> None:
    bucket.blob("rows.csv").upload_from_string("1")
    rows = f"gs://{bucket.name}/rows.csv"
    address = runs.ended("failing", compiled("tracing"), rows=rows, fail=True)
    seen = look(emulator, address)
    [alert] = [each for each in seen.root.all("div") if each.attributes.get("role") == "alert"]
    assert "not good enough" in alert.text
    assert seen.source.index("not good enough") < seen.source.index("<svg")
    judge = look(emulator, seen.links("Tasks")["judge"])
    assert "ValueError: not good enough" in judge.root.all("div", role="alert")[0].text
    assert "Traceback" in judge.text

    again = look(emulator, runs.ended("failing-again", compiled("tracing"), rows=rows, fail=True))
    states = {row["Task"]: row["State"] for row in again.table("Tasks")}
    assert states["train"] == "↷ Cached"
    train = look(emulator, again.links("Tasks")["train"])
    assert "an earlier execution had the same inputs" in train.text


def test_lists_are_filtered_and_pages_lead_on(emulator: Emulator, runs: Runs) -> None:
    runs.doubled("first")
    runs.doubled("second")
    everything = look(emulator, f"{runs.page}/pipelineJobs")
    assert [row["Run"] for row in everything.table("Runs")] == ["second", "first"]
    failed = look(emulator, f"{runs.page}/pipelineJobs?state=failed")
    assert failed.root.all("table") == []
    own = look(emulator, f"{runs.page}/pipelineJobs?state=succeeded&pipeline=doubling")
    assert len(own.table("Runs")) == 2
    other = look(emulator, f"{runs.page}/pipelineJobs?pipeline=tripling")
    assert other.root.all("table") == []
    assert look(emulator, f"{runs.page}/pipelineJobs?state=lost").status == 400
    assert look(emulator, f"{runs.page}/pipelineJobs?before=x").status == 400
    pipeline = look(emulator, f"{runs.page}/pipelines/doubling")
    assert [row["Run"] for row in pipeline.table("Runs")] == ["second", "first"]
    assert look(emulator, f"{runs.page}/pipelines/tripling").status == 404


def test_metrics_of_runs_stand_beside_each_other(
    emulator: Emulator, runs: Runs, bucket: Bucket
) -> None:
    runs.ended("one", drawing_spec(), text="a")
    runs.ended("two", drawing_spec(), text="b")
    seen = look(emulator, f"{runs.page}/pipelines/drawing")
    rows = {row["Metric"]: row for row in seen.table("Metrics beside each other")}
    assert rows["accuracy"] == {"Metric": "accuracy", "two": "0.8750", "one": "0.8750"}
    assert rows["b"]["one"] == "–"


def seen_with(emulator: Emulator, address: str, text: str) -> Seen:
    deadline = time.monotonic() + 15
    while text not in (seen := look(emulator, address)).source:
        assert time.monotonic() < deadline, seen.text
        time.sleep(0.02)
    return seen


def test_a_run_under_way_says_so_everywhere(emulator: Emulator, runs: Runs) -> None:
    address = runs.submit("long", compiled("sleeping"), seconds=20.0)
    name = f"{runs.parent}/pipelineJobs/long"
    try:
        seen = seen_with(
            emulator,
            address,
            '<td data-label="State"><span class="mark tone-live"><span aria-hidden="true">▶',
        )
        assert seen.table("Tasks")[0]["State"] == "▶ Running"
        assert "data-live" in seen.root.all("main")[0].attributes
        task = seen_with(emulator, seen.links("Tasks")["sleep"], "So far; it is still running.")
        assert task.facts["Tries"] == "1"
        front = look(emulator, "/")
        assert f"/page/{name}" in front.source
        assert "data-live" in front.root.all("main")[0].attributes
    finally:
        runs.jobs.cancel_pipeline_job(name=name)


def test_what_is_not_there_says_what_is_missing(emulator: Emulator, runs: Runs) -> None:
    own = runs.doubled("here")
    for address, said in {
        f"{runs.page}/pipelineJobs/gone": "gone",
        f"{own}/tasks/7": "no task of the id '7'",
        f"{runs.page}/unicorns": "unicorns",
        f"{runs.page}/unicorns/1": "unicorns/1",
        f"{runs.page}/models/gone": "no model 'gone'",
        f"{runs.page}/metadataStores/default/artifacts/1": "does not exist",
        "/page/projects/never-heard-of": "never-heard-of",
        "/page/buckets/never-heard-of": "no bucket 'never-heard-of'",
        "/page/nowhere": "/page/nowhere",
    }.items():
        seen = look(emulator, address)
        assert (seen.status, seen.title) == (404, "Not found"), address
        assert said in seen.text
