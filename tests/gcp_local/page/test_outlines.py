"""Outlines: a message without some of its fields is what the message is without them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gcp_local.page.runs import OUTLINE
from gcp_local.resources.outlines import without
from gcp_local.rpc.protos import Message
from gcp_local.vertex.pipelines import PipelineJob


def job() -> Message:
    made = PipelineJob(
        name="projects/1/locations/l/pipelineJobs/a", display_name="ä" * 100, state=3
    )
    made.pipeline_spec.fields["a"].number_value = 1.5
    made.runtime_config.gcs_output_directory = "gs://b/c"
    made.job_detail.pipeline_context.display_name = "p"
    for number in range(5):
        made.job_detail.task_details.add(task_id=number - 2, task_name="t" * 100)
    made.create_time.seconds = 1_700_000_000
    made.labels["x"] = "y"
    return made


def test_it_is_the_message_without_the_fields() -> None:
    whole, expected, read = job(), job(), PipelineJob()
    expected.ClearField("pipeline_spec")
    expected.ClearField("runtime_config")
    expected.job_detail.ClearField("task_details")
    read.ParseFromString(without(whole.SerializeToString(), PipelineJob.DESCRIPTOR, OUTLINE))
    assert read == expected


def test_without_paths_nothing_goes() -> None:
    body = job().SerializeToString()
    assert without(body, PipelineJob.DESCRIPTOR, ()) == body


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=60))
def test_bytes_that_are_no_message_do_no_harm(body: bytes) -> None:
    assert len(without(body, PipelineJob.DESCRIPTOR, OUTLINE)) <= len(body)


@pytest.mark.parametrize("body", [b"\xff\xff", b"\x0a\x50abc", b"\x0b", b"\x80" * 30])
def test_what_cannot_be_read_stays_as_it_is(body: bytes) -> None:
    assert without(body, PipelineJob.DESCRIPTOR, OUTLINE) == body
