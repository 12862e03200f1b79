"""Metrics and plots: what an artifact says by its metadata, and what lies at its address."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from gcp_local.errors import ApiError
from gcp_local.page.names import object_page, parts_of, raw_object
from gcp_local.page.view import Block, Cell, Curve, Frame, Link, Matrix, Numbers, Picture, Text
from gcp_local.page.writing import number, plain, values_of

if TYPE_CHECKING:
    from gcp_local.page.site import Sources
    from gcp_local.rpc.protos import Message

METRICS = "system.Metrics"
_CLASSIFICATION = ("system.ClassificationMetrics", "google.ClassificationMetrics")
_MOST_TEXT = 64 * 1024
_IMAGES = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".svg")


def metrics_of(artifact: Message) -> dict[str, float]:
    """Give the numbers that an artifact of metrics has."""
    said = values_of(artifact.metadata)
    return {
        name: float(value)
        for name, value in said.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


def numbers(title: str, measured: Sequence[tuple[Link, Mapping[str, float]]]) -> Numbers:
    """Show numbers by name, and whose they are."""
    groups = [
        (link, [(name, Cell(number(value), title=repr(value))) for name, value in metrics.items()])
        for link, metrics in measured
        if metrics
    ]
    return Numbers(title, groups, "None: metrics.log_metric(name, value) in a component adds one.")


def plots_of(sources: Sources, artifact: Message, title: str = "") -> list[Block]:
    """Show what there is to see of an artifact, beside plain facts."""
    title = title or artifact.display_name or artifact.name.rpartition("/")[2]
    blocks: list[Block] = []
    if artifact.schema_title in _CLASSIFICATION:
        blocks += classification(values_of(artifact.metadata), title)
    place = parts_of(artifact.uri)
    if place is None or not place[1]:
        return blocks
    bucket, name = place
    found = sources.objects.find(bucket, name)
    if found is None:
        return blocks
    whole = Link("as an object", object_page(bucket, name))
    if artifact.schema_title == "system.HTML":
        blocks.append(Frame(title, raw_object(bucket, name, "html"), [whole]))
    elif artifact.schema_title == "system.Markdown":
        text = text_of(sources, bucket, name, most=_MOST_TEXT)
        if text is not None:
            blocks.append(Text(title, text, [whole]))
    elif name.lower().endswith(_IMAGES) or (found.content_type or "").startswith("image/"):
        blocks.append(Picture(title, raw_object(bucket, name, "image")))
    return blocks


def text_of(
    sources: Sources, bucket: str, name: str, *, most: int, generation: int | None = None
) -> str | None:
    """Read the beginning of an object as text; None if it is not there, or not text."""
    try:
        _, file = sources.objects.open(bucket, name, generation=generation)
    except ApiError:
        return None
    with file:
        content = file.read(most)
    if b"\0" in content:
        return None
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        # A character that the cut went through is no reason.
        return content[: error.start].decode() if error.start > len(content) - 4 else None


def classification(said: Mapping[str, Any], title: str) -> list[Block]:
    """Show a confusion matrix and a ROC curve, as far as they are there and make sense."""
    blocks: list[Block] = []
    matrix = _matrix(said.get("confusionMatrix"), f"{title}: confusion matrix")
    if matrix is not None:
        blocks.append(matrix)
    curve = _curve(said.get("confidenceMetrics"), f"{title}: ROC curve")
    if curve is not None:
        blocks.append(curve)
    return blocks


def _matrix(said: Any, title: str) -> Matrix | None:
    try:
        classes = [plain(spec["displayName"]) for spec in said["annotationSpecs"]]
        rows = [[float(count) for count in _row(row)] for row in said["rows"]]
    except (TypeError, KeyError, ValueError):
        return None
    if not classes or len(rows) != len(classes) or any(len(row) != len(rows) for row in rows):
        return None
    return Matrix(
        title,
        classes,
        [
            (name, [(number(count), _shade(count, sum(row))) for count in row])
            for name, row in zip(classes, rows, strict=True)
        ],
    )


def _row(row: Any) -> Any:
    """Take a row of a matrix: KFP puts it into a struct, an evaluation does not."""
    return row["row"] if isinstance(row, dict) else row


def _shade(count: float, total: float) -> int:
    return min(4, int(4 * count / total + 0.5)) if total > 0 and count >= 0 else 0


def _curve(said: Any, title: str) -> Curve | None:
    try:
        points = sorted(
            (float(point.get("falsePositiveRate", 0)), float(point.get("recall", 0)))
            for point in said
        )
    except (TypeError, AttributeError, ValueError):
        return None
    if len(points) < 2 or not all(0 <= each <= 1 for point in points for each in point):
        return None
    area = sum((right[0] - left[0]) * (right[1] + left[1]) / 2 for left, right in pairwise(points))
    return Curve(
        title,
        " ".join(f"{100 * across:.2f},{100 - 100 * up:.2f}" for across, up in points),
        "False positive rate",
        "True positive rate",
        f"{len(points)} points; area under them {area:.4f}",
    )
