"""List filters, as a table."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from google.cloud.aiplatform_v1.types import PipelineJob as Job

from gcp_local.errors import InvalidArgument
from gcp_local.resources.filtering import compile_filter
from gcp_local.rpc.protos import raw, timestamp
from gcp_local.vertex.pipeline_ids import FILTERABLE

PipelineJob = raw(Job)
JOB = PipelineJob(
    name="projects/1/locations/europe-west1/pipelineJobs/churn-7",
    display_name="nightly run",
    pipeline_spec={"pipelineInfo": {"name": "churn"}},
    labels={"team": "ml", "odd key": "x"},
    state=4,
    create_time=timestamp(datetime(2026, 1, 2, tzinfo=UTC)),
)


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("", True),
        ('display_name="nightly run"', True),
        ("display_name = 'nightly run'", True),
        ('display_name!="nightly run"', False),
        ('display_name:"night*"', True),
        ('display_name:"Night*"', False),
        ("state=PIPELINE_STATE_SUCCEEDED", True),
        ('state!="PIPELINE_STATE_SUCCEEDED"', False),
        ('labels.team="ml"', True),
        ("labels.team=ml", True),
        ('labels.team!="ml"', False),
        ("labels.team:*", True),
        ("labels:team", True),
        ("labels.nobody:*", False),
        ('labels.nobody="x"', False),
        ('labels."odd key"="x"', True),
        ('create_time>"2026-01-01T00:00:00Z"', True),
        ('create_time<="2026-01-01T21:00:00-02:00"', False),
        ('create_time>="2026-01-02T00:00:00Z"', True),
        ('end_time>"2000-01-01T00:00:00Z"', False),
        ('create_time>"2026-01-01"', True),  # as ListFeatureGroupsRequest has it
        ('create_time<"2026-01-02"', False),
        ('display_name:"*[n]ight*"', False),
        ('display_name:"?ightly run"', False),
        ('pipeline_name="churn"', True),
        ('pipeline_name!="churn"', False),
        ('pipeline_job_user_id:"churn-*"', True),
        ('pipeline_job_user_id="churn"', False),
        ("NOT labels.team=ml", False),
        ("-labels.team=ml", False),
        ("labels.team=ml AND state=PIPELINE_STATE_FAILED", False),
        ("labels.team=ml OR state=PIPELINE_STATE_FAILED", True),
        ("labels.team=x AND labels.team=y OR labels.team=ml", False),
        ("(labels.team=x AND labels.team=y) OR labels.team=ml", True),
        ("NOT (labels.team=x OR labels.team=y)", True),
    ],
)
def test_a_filter_holds_or_not(text: str, holds: bool) -> None:
    assert compile_filter(text, PipelineJob, FILTERABLE)(JOB) is holds


def test_parentheses_nest_so_deep_and_no_deeper() -> None:
    deep = "(" * 50 + "labels.team=ml" + ")" * 50
    assert compile_filter(f"{deep} AND {deep}", PipelineJob, FILTERABLE)(JOB)
    with pytest.raises(InvalidArgument):
        compile_filter(f"({deep})", PipelineJob, FILTERABLE)
    with pytest.raises(InvalidArgument):
        compile_filter("(" * 5000, PipelineJob, FILTERABLE)


@pytest.mark.parametrize(
    "text",
    [
        "nonsense", "unknown=x", "display_name", "display_name=", "=x", "display_name>x",
        "display_name=a*", "display_name.part=x", "state=NOPE", "state>PIPELINE_STATE_FAILED",
        "create_time=yesterday", "create_time>20260101", "create_time:*", "labels=x",
        "labels.team>x", "(labels.team=ml", "labels.team=ml)", "labels.team=ml AND",
        "labels.team=ml labels.team=ml", 'display_name="open', "AND", "NOT", "labels..=x=",
        "pipeline_spec:x", "name=x", "start_time>2026-01-01", "pipeline_name.x=x",
        "create_time>2026-01-01T00:00:00", "(" * 3000 + "labels.team=ml" + ")" * 3000,
    ],
)  # fmt: skip
def test_what_is_no_filter_is_refused_and_never_ignored(text: str) -> None:
    with pytest.raises(InvalidArgument):
        compile_filter(text, PipelineJob, FILTERABLE)
