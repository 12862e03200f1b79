"""Schedules and the feature registry through the high-level SDK, on a server of their own."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.auth.credentials import AnonymousCredentials

from tests.gcp_local.emulators import Emulator, start
from tests.gcp_local.pipelines import compiled


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    emulator = start(tmp_path_factory.mktemp("sdk"))
    yield emulator
    emulator.end()


@pytest.fixture
def sdk(server: Emulator, project: str) -> Any:
    from google.cloud import aiplatform

    aiplatform.init(
        project=project,
        location="europe-west1",
        api_endpoint=server.endpoint,
        api_transport="rest",
        credentials=AnonymousCredentials(),
    )
    return aiplatform


def test_a_pipeline_job_schedule_lives_and_fires(
    server: Emulator, sdk: Any, tmp_path: Path
) -> None:
    (tmp_path / "pipeline.yaml").write_bytes(compiled("doubling"))
    job = sdk.PipelineJob(
        display_name="doubling",
        template_path=str(tmp_path / "pipeline.yaml"),
        pipeline_root="gs://nowhere/runs",
        parameter_values={"number": 4},
        labels={"made": "by-the-sdk"},
    )
    schedule = sdk.PipelineJobSchedule(pipeline_job=job, display_name="by the sdk")
    schedule.create(cron="TZ=Europe/Paris 0 3 * * *", max_concurrent_run_count=1, max_run_count=9)
    assert schedule.state.name == "ACTIVE"
    schedule.pause()
    assert schedule.state.name == "PAUSED"
    schedule.update(display_name="renamed", cron="0 4 * * *", max_run_count=2)
    schedule.resume()
    assert (schedule.cron, schedule.max_run_count) == ("0 4 * * *", 2)
    found = sdk.PipelineJobSchedule.list(filter='display_name="renamed"')
    assert [each.resource_name for each in found] == [schedule.resource_name]
    assert schedule.list_jobs() == []
    server.clock.advance(3 * 86400)
    for _ in range(500):
        if schedule.state.name == "COMPLETED":
            break
        time.sleep(0.02)
    assert schedule.state.name == "COMPLETED"
    jobs = schedule.list_jobs(enable_simple_view=False)
    assert [job.labels["made"] for job in jobs] == ["by-the-sdk"] * 2
    for simple in schedule.list_jobs():
        spec = simple.to_dict()["pipelineSpec"]
        assert spec == {"pipelineInfo": {"name": "doubling"}}
    again = sdk.PipelineJobSchedule.get(schedule.resource_name)
    assert again.display_name == "renamed"
    short = job.create_schedule("0 5 * * *", "by the job", max_concurrent_active_run_count=1)
    assert (short.state.name, short.max_concurrent_active_run_count) == ("ACTIVE", 1)
    short.delete()
    schedule.delete()
    assert sdk.PipelineJobSchedule.list() == []
    assert len(sdk.PipelineJob.list()) == 2


def test_a_feature_group_and_its_features_live(sdk: Any) -> None:
    from vertexai.resources.preview.feature_store.feature_group import FeatureGroup
    from vertexai.resources.preview.feature_store.utils import FeatureGroupBigQuerySource

    group = FeatureGroup.create(
        "customers",
        FeatureGroupBigQuerySource("bq://my-project.churn.customers", ["customer_id"]),
        labels={"team": "ml"},
    )
    assert FeatureGroup("customers").source == group.source
    assert group.source.entity_id_columns == ["customer_id"]
    age = group.create_feature("age", description="in years", version_column_name="Age")
    assert (age.description, age.version_column_name) == ("in years", "Age")
    assert group.get_feature("age").resource_name == age.resource_name
    assert [each.name for each in group.list_features()] == ["age"]
    assert [each.name for each in FeatureGroup.list()] == ["customers"]
    age.delete()
    assert group.list_features() == []
    group.create_feature("tenure")
    group.delete(force=True)
    assert FeatureGroup.list() == []
