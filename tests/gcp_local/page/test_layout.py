"""Layout and drawing, as pure functions."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import pytest
import yaml
from google.protobuf import json_format
from hypothesis import given, settings
from hypothesis import strategies as st

from gcp_local import clock
from gcp_local.page import states
from gcp_local.page.drawing import Drawing, Node, Shape, drawn
from gcp_local.page.graph import Told, graph_of
from gcp_local.page.layout import Box, layered
from gcp_local.vertex.pipelines import PipelineJob

CORPUS = sorted((Path(__file__).parents[1] / "corpus" / "compiled").glob("*.yaml"))
KEYS = st.sampled_from("abcdefghijkl")
NOTHING_TOLD = Told({}, lambda _: "", clock.now(), states.AHEAD)


def apart(one: Box | Shape, other: Box | Shape) -> bool:
    return (
        one.x + one.width <= other.x + 1e-6
        or other.x + other.width <= one.x + 1e-6
        or one.y + one.height <= other.y + 1e-6
        or other.y + other.height <= one.y + 1e-6
    )


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.tuples(st.floats(10, 400), st.floats(10, 300)), min_size=1, max_size=12),
    edges=st.lists(st.tuples(KEYS, KEYS), max_size=30),
)
def test_boxes_are_apart_and_arrows_lead_down(
    sizes: list[tuple[float, float]], edges: list[tuple[str, str]]
) -> None:
    boxes = [Box(key, *size) for key, size in zip("abcdefghijkl", sizes, strict=False)]
    layout = layered(boxes, edges)
    placed = {box.key: box for box in layout.boxes}
    assert placed.keys() == {box.key for box in boxes}
    assert all(apart(*pair) for pair in combinations(layout.boxes, 2))
    for box in layout.boxes:
        assert box.x >= 0
        assert box.x + box.width <= layout.width + 1e-6
        assert box.y + box.height <= layout.height + 1e-6
    for route in layout.routes:
        assert placed[route.source].y + placed[route.source].height < placed[route.target].y
        downs = [y for _, y in route.points]
        assert downs == sorted(downs)


def test_arrows_without_circles_are_all_drawn() -> None:
    edges = [("a", "b"), ("b", "c"), ("a", "c"), ("c", "d")]
    layout = layered([Box(key, 50, 20) for key in "abcd"], edges)
    assert {(route.source, route.target) for route in layout.routes} == set(edges)


def test_a_long_arrow_passes_beside_the_boxes_between() -> None:
    layout = layered([Box(key, 50, 20) for key in "abc"], [("a", "b"), ("b", "c"), ("a", "c")])
    [long] = [route for route in layout.routes if (route.source, route.target) == ("a", "c")]
    [between] = [box for box in layout.boxes if box.key == "b"]
    within = [x for x, y in long.points if between.y <= y <= between.y + between.height]
    assert within
    assert all(x < between.x or x > between.x + between.width for x in within)


def test_a_circle_is_drawn_without_the_arrow_that_closes_it() -> None:
    layout = layered([Box(key, 50, 20) for key in "ab"], [("a", "b"), ("b", "a")])
    assert [(route.source, route.target) for route in layout.routes] == [("a", "b")]


def graph(path: Path) -> tuple[list[Node], list[tuple[str, str]]]:
    job = PipelineJob()
    body = next(yaml.safe_load_all(path.read_text()))
    json_format.ParseDict(body, job.pipeline_spec)
    return graph_of(job, NOTHING_TOLD)


def check(drawing: Drawing) -> None:
    leaves = [shape for shape in drawing.shapes if not shape.node.inside]
    assert all(apart(*pair) for pair in combinations(leaves, 2))
    by_node = {id(shape.node): shape for shape in drawing.shapes}
    for outer in drawing.shapes:
        for child in outer.node.inside:
            inner = by_node[id(child)]
            assert inner.depth == outer.depth + 1
            assert outer.x < inner.x
            assert outer.y < inner.y
            assert inner.x + inner.width < outer.x + outer.width
            assert inner.y + inner.height < outer.y + outer.height


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_every_pipeline_of_the_corpus_is_drawn(path: Path) -> None:
    nodes, edges = graph(path)
    assert nodes
    check(drawn(nodes, edges))


def test_conditions_loops_and_exit_handlers_are_boxes_around_their_tasks() -> None:
    def kinds(nodes: list[Node]) -> set[str]:
        found = {node.kind for node in nodes}
        for node in nodes:
            found |= kinds(list(node.inside))
        return found

    seen: set[str] = set()
    for path in CORPUS:
        seen |= kinds(graph(path)[0])
    assert {"If", "Either", "Loop", "Exit handler", "Pipeline", "Importer", "Task"} <= seen


def test_thirty_tasks_in_a_row_stay_as_narrow_as_one() -> None:
    nodes = [Node(str(number), f"task {number}", states.AHEAD) for number in range(30)]
    edges = [(str(number), str(number + 1)) for number in range(29)]
    drawing = drawn(nodes, edges)
    assert drawing.width < 260
    check(drawing)


def test_many_rounds_stand_in_rows_not_in_one_long_line() -> None:
    rounds = [Node(f"loop.{number}", "Round", states.AHEAD) for number in range(24)]
    drawing = drawn([Node("loop", "Loop", states.AHEAD, inside=rounds)], [])
    assert drawing.width < 800
    assert drawing.arrows == ()
    check(drawing)


def test_boxes_in_boxes_without_end_are_drawn_up_to_a_point() -> None:
    inner = {f"t{number}": {"componentRef": {"name": "c"}} for number in range(3)}
    spec = {"root": {"dag": {"tasks": inner}}, "components": {"c": {"dag": {"tasks": inner}}}}
    job = PipelineJob()
    json_format.ParseDict(spec, job.pipeline_spec)
    drawing = drawn(*graph_of(job, NOTHING_TOLD))
    assert 100 < len(drawing.shapes) < 2000
