"""How values are written for people, and what strange ones come to."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gcp_local.page import plots, states
from gcp_local.page.graph import Told
from gcp_local.page.names import Names, object_page, parts_of
from gcp_local.page.view import Curve, Matrix, Tone
from gcp_local.page.writing import ago, duration, number, plain, pretty, size
from gcp_local.vertex.pipelines import PipelineJob

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (0, "0.0 s"), (1.25, "1.2 s"), (9.96, "10 s"), (59.4, "59 s"), (61, "1 min 01 s"),
        (3599, "59 min 59 s"), (3600, "1 h 00 min"), (90_000, "25 h 00 min"), (-5, "0.0 s"),
    ],
)  # fmt: skip
def test_durations(seconds: float, written: str) -> None:
    assert duration(NOW, NOW + timedelta(seconds=seconds)) == written


def test_what_has_not_begun_took_no_time() -> None:
    assert duration(None, NOW) == "–"


@pytest.mark.parametrize(
    ("seconds", "written"),
    [(-7200, "2 h ago"), (-61, "1 min ago"), (0, "0 s ago"), (200_000, "in 2 d")],
)
def test_times_from_here(seconds: int, written: str) -> None:
    assert ago(NOW + timedelta(seconds=seconds), NOW) == written


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0.99019, "0.9902"), (1436.0, "1436"), (1e-7, "1e-07"), (1.5e9, "1500000000"),
        (1e300, "1e+300"), (math.inf, "inf"), (-0.25, "-0.2500"), (1234567.25, "1.235e+06"),
    ],
)  # fmt: skip
def test_numbers(value: float, written: str) -> None:
    assert number(value) == written
    assert number(math.nan) == "nan"


def test_sizes() -> None:
    assert [size(0), size(1023), size(1024), size(5 * 2**40)] == [
        "0 bytes", "1023 bytes", "1.0 KiB", "5.0 TiB",
    ]  # fmt: skip


def test_the_whole_numbers_of_a_struct_are_whole_again() -> None:
    assert plain({"a": [1.0, 2.5], "b": None}) == '{"a": [1, 2.5], "b": null}'
    assert plain(True) == "true"
    assert plain(3.0) == "3"
    assert pretty({"ä": 1.0}) == '{\n  "ä": 1\n}'


def test_names_are_shown_with_the_id_of_their_project() -> None:
    names = Names.of([("123", "my-project")])
    assert names.href("projects/123/locations/l/models/m@1") == (
        "/page/projects/my-project/locations/l/models/m@1"
    )
    assert names.href("projects/9/x/<b>") == "/page/projects/9/x/%3Cb%3E"
    assert object_page("b", "a/b c#.json") == "/page/buckets/b/objects/a%2Fb%20c%23.json"
    assert parts_of("gs://b/c/d") == ("b", "c/d")
    assert parts_of("https://x/y") is None


@pytest.mark.parametrize("name", ["", "STATE_UNSPECIFIED", "SOMETHING_NEW"])
def test_a_state_that_nobody_thought_of_is_told_all_the_same(name: str) -> None:
    mark = states.mark(name)
    assert mark.word
    assert mark.tone is Tone.SOFT


@pytest.mark.parametrize(
    "said",
    [
        {"confusionMatrix": {"annotationSpecs": [{"displayName": "a"}], "rows": []}},
        {"confusionMatrix": {"annotationSpecs": [], "rows": []}},
        {"confusionMatrix": {"annotationSpecs": [{}], "rows": [{"row": [1]}]}},
        {"confusionMatrix": {"annotationSpecs": [{"displayName": 1}], "rows": [{"row": "x"}]}},
        {"confusionMatrix": [1], "confidenceMetrics": "abc"},
        {"confidenceMetrics": [{"recall": 2}, {"recall": 0}]},
        {"confidenceMetrics": [{"recall": None}, {"recall": 0}]},
        {"confidenceMetrics": [{"recall": math.nan}, {"recall": 0}]},
        {"confidenceMetrics": [{}]},
    ],
)
def test_plots_that_make_no_sense_are_left_out(said: Any) -> None:
    assert plots.classification(said, "x") == []


def test_plots_that_do_are_drawn() -> None:
    matrix = {"annotationSpecs": [{"displayName": "a"}, {"displayName": "b"}]}
    blocks = plots.classification(
        {
            "confusionMatrix": {**matrix, "rows": [[9, 1], [0, 0]]},
            "confidenceMetrics": [
                {"falsePositiveRate": 1, "recall": 1},
                {"confidenceThreshold": 1},
                {"falsePositiveRate": 0.5, "recall": 1},
            ],
        },
        "x",
    )
    [confusion, curve] = blocks
    assert isinstance(confusion, Matrix)
    assert confusion.rows == [("a", [("9", 4), ("1", 0)]), ("b", [("0", 0), ("0", 0)])]
    assert isinstance(curve, Curve)
    assert curve.points == "0.00,100.00 50.00,0.00 100.00,0.00"
    assert "area under them 0.7500" in curve.note


def test_what_was_not_begun_in_what_has_ended_will_not_be_reached() -> None:
    job = PipelineJob()
    ended = job.job_detail.task_details.add(task_unique_name="ended", state=9)
    running = job.job_detail.task_details.add(task_unique_name="running", state=2)
    told = Told({"ended": ended, "running": running}, lambda _: "", NOW, states.AHEAD)
    assert told.mark("ended.inner.deep") is states.MISSED
    assert told.mark("running.inner") is states.AHEAD
    assert told.mark("elsewhere") is states.AHEAD
    assert told.mark("ended").word == "Not triggered"
