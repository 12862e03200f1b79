"""With a thousand runs a page reads what it shows, and no more."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from gcp_local import clock
from gcp_local.cloud import Cloud
from gcp_local.page import runs
from gcp_local.page.rest import PageEndpoint
from gcp_local.page.site import Sources
from gcp_local.resources.collection import Resources
from gcp_local.resources.database import Database
from gcp_local.resources.projects import Projects
from gcp_local.storage.buckets import BucketStore
from gcp_local.vertex.metadata.store import MetadataGraph
from gcp_local.vertex.pipelines import PipelineJob, State
from gcp_local.web.messages import Request
from tests.gcp_local.page.reading import Element, parsed

MANY = 1000
PLACE = "projects/thousand-runs/locations/europe-west1"


class Counted(Database):
    """A database that counts the bodies of resources that are read."""

    bodies = 0

    def rows(self, sql: str, *parameters: Any) -> list[sqlite3.Row]:
        found = super().rows(sql, *parameters)
        self.bodies += sum("body" in row.keys() for row in found)  # noqa: SIM118
        return found

    def row(self, sql: str, *parameters: Any) -> sqlite3.Row | None:
        found = super().row(sql, *parameters)
        self.bodies += found is not None and "body" in found.keys()  # noqa: SIM118
        return found


@dataclass(frozen=True)
class Looker:
    """Looks at the pages of a cloud through a connection that counts."""

    cloud: Cloud
    counted: Counted
    sources: Sources
    page: PageEndpoint

    def look(self, path: str, **query: str) -> tuple[Element, int]:
        """Look at a page; tell how many bodies were read for it."""
        self.counted.bodies = 0
        answer = self.page.answer(
            Request("GET", path, list(query.items()), {}, b"", "http://127.0.0.1:9")
        )
        assert answer.status == 200
        assert isinstance(answer.body, bytes)
        return parsed(answer.body.decode()), self.counted.bodies


@pytest.fixture(scope="module")
def looker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Looker]:
    folder = tmp_path_factory.mktemp("many")
    cloud = Cloud(folder, "http://127.0.0.1:9")
    fill(cloud)
    counted = Counted(folder / "state.db")
    resources = Resources(counted)
    sources = Sources(
        database=counted,
        resources=resources,
        projects=Projects(counted),
        objects=cloud.objects,
        buckets=BucketStore(counted),
        metadata=MetadataGraph(resources, counted),
        pipelines=cloud.vertex.pipelines,
        builds=cloud.builds,
        fleet=cloud.vertex.fleet,
        bigquery=lambda path, query: {},
        work=folder / "work",
    )
    yield Looker(cloud, counted, sources, PageEndpoint(sources, "http://127.0.0.1:9"))
    counted.close()
    cloud.close()


def fill(cloud: Cloud) -> None:
    parent = cloud.projects.numbered(PLACE)
    job = PipelineJob(state=State.PIPELINE_STATE_SUCCEEDED)
    job.pipeline_spec.fields["text"].string_value = "x" * 20_000
    job.job_detail.pipeline_context.display_name = "many"
    with cloud.database.transaction():
        for number in range(MANY):
            job.name = f"{parent}/pipelineJobs/run-{number:04}"
            job.create_time.FromDatetime(clock.now())
            job.state = (
                State.PIPELINE_STATE_FAILED if number < 10 else State.PIPELINE_STATE_SUCCEEDED
            )
            cloud.resources.add(job.name, job)


def shown(root: Element) -> list[str]:
    cells = root.all("td", **{"data-label": "Run"})
    return [cell.text for cell in cells]


def test_the_first_page_reads_the_newest_runs_only(looker: Looker) -> None:
    root, bodies = looker.look("/")
    assert shown(root)[0] == "run-0999"
    assert f"{MANY:,} runs" in root.text
    assert bodies <= 20


def test_a_list_of_runs_reads_a_page_of_them(looker: Looker) -> None:
    seen: list[str] = []
    address = f"/page/{PLACE}/pipelineJobs"
    query: dict[str, str] = {}
    for _ in range(3):
        root, bodies = looker.look(address, **query)
        assert len(shown(root)) == runs.PAGE
        assert bodies <= runs.PAGE + 1
        seen += shown(root)
        [older] = [link for link in root.all("a") if link.text == "older →"]
        query = {"before": older.attributes["href"].partition("before=")[2]}
    assert seen == [f"run-{number:04}" for number in range(999, 999 - 3 * runs.PAGE, -1)]


def test_the_last_page_leads_no_further(looker: Looker) -> None:
    cloud = looker.cloud
    found, last = runs.found(
        cloud.resources, cloud.projects.numbered(PLACE), runs.Wanted(), None, MANY
    )
    assert len(found) == MANY
    assert last is None


def test_a_filter_finds_what_is_far_back_and_reads_no_specification(looker: Looker) -> None:
    root, _ = looker.look(f"/page/{PLACE}/pipelineJobs", state="failed")
    assert shown(root) == [f"run-{number:04}" for number in range(9, -1, -1)]
    cloud = looker.cloud
    found, _ = runs.found(
        cloud.resources, cloud.projects.numbered(PLACE), runs.Wanted("FAILED"), None, 5
    )
    assert [len(job.pipeline_spec.fields) for job in found] == [0] * 5


def test_a_run_that_cannot_be_read_is_passed_over(looker: Looker) -> None:
    cloud = looker.cloud
    name = f"{cloud.projects.numbered(PLACE)}/pipelineJobs/run-0998"
    body = cloud.resources.get(name, PipelineJob).SerializeToString()
    cloud.database.run("UPDATE resources SET body = ? WHERE name = ?", b"\xff\xff", name)
    try:
        root, _ = looker.look(f"/page/{PLACE}/pipelineJobs")
        assert shown(root)[:2] == ["run-0999", "run-0997"]
    finally:
        cloud.database.run("UPDATE resources SET body = ? WHERE name = ?", body, name)


def test_a_part_that_fails_is_said_in_its_place(
    looker: Looker, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(path: str, query: object) -> dict[str, object]:
        raise ZeroDivisionError(path)

    page = PageEndpoint(replace(looker.sources, bigquery=fail), "http://127.0.0.1:9")
    broken = replace(looker, page=page)
    root, _ = broken.look("/page/projects/thousand-runs")
    assert "This part of the page failed (ZeroDivisionError)" in root.text
    assert "europe-west1" in root.text
    assert "Buckets" in root.text
    assert "ZeroDivisionError: projects/thousand-runs/datasets" in caplog.text


def test_a_run_whose_specification_is_like_none_is_shown_without_a_graph(looker: Looker) -> None:
    name = f"{looker.cloud.projects.numbered(PLACE)}/pipelineJobs/odd"
    job = PipelineJob(name=name, state=State.PIPELINE_STATE_FAILED)
    job.pipeline_spec.fields["root"].number_value = float("inf")
    job.error.message = "no such thing"
    looker.cloud.resources.add(name, job)
    try:
        root, _ = looker.look(f"/page/{PLACE}/pipelineJobs/odd")
        assert "no such thing" in root.text
        assert "Tasks" in root.text
        for strange in ("text", 1.0):
            job.pipeline_spec.fields["root"].Clear()
            kind = "string_value" if isinstance(strange, str) else "number_value"
            setattr(job.pipeline_spec.fields["root"], kind, strange)
            looker.cloud.resources.replace(name, job)
            root, _ = looker.look(f"/page/{PLACE}/pipelineJobs/odd")
            assert "no such thing" in root.text
    finally:
        looker.cloud.resources.delete(name, PipelineJob)
