"""Draws nested graphs: boxes in boxes, each level laid out in layers, as shapes for an SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from gcp_local.page.layout import Box, Point, layered
from gcp_local.page.view import Mark, Tone
from gcp_local.page.writing import shortened

LEAF_WIDTH, LEAF_HEIGHT = 214.0, 50.0
_NARROWEST = 280.0  # a box around others, so that its title has room
_PADDING, _HEADER, _MARGIN = 14.0, 30.0, 2.0
_LONGEST = 24  # characters that fit into a leaf
_SPREAD = 3  # boxes side by side in a grid


@dataclass(frozen=True)
class Node:
    """A box: a leaf, or one around others.

    Attributes:
        key: what edges call it; unique in its drawing.
        label: what it says first.
        mark: its state.
        note: what it says behind the state.
        kind: what sort of thing it is; for a box around others, said before its label.
        href: where it leads.
        inside: the boxes in it.
        edges: which of these lead to which.

    """

    key: str
    label: str
    mark: Mark
    note: str = ""
    kind: str = ""
    href: str = ""
    inside: Sequence[Node] = ()
    edges: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True)
class Shape:
    """A box in its place."""

    node: Node
    x: float
    y: float
    width: float
    height: float
    depth: int

    @property
    def label(self) -> str:
        """The label, as much of it as fits."""
        return shortened(self.node.label, int(_LONGEST * self.width / LEAF_WIDTH))

    @property
    def title(self) -> str:
        """What a box around others says: what it is, and its label; as much as fits."""
        kind = self.node.kind
        label = self.node.label
        whole = label if kind in ("", label) else f"{kind}: {label}"
        room = self.width - 8.0 * len(self.node.mark.word) - 56
        return shortened(whole, max(8, int(room / 7.0)))

    @property
    def said(self) -> str:
        """The state and the note, as much of them as fits."""
        node = self.node
        parts = [f"{node.mark.sign} {node.mark.word}", node.note]
        return shortened(" · ".join(filter(None, parts)), int(29 * self.width / LEAF_WIDTH))


@dataclass(frozen=True)
class Arrow:
    """An arrow, as an SVG path; `tone` is that of where it comes from."""

    path: str
    tone: Tone


@dataclass(frozen=True)
class Drawing:
    """Shapes, outer ones first, and arrows."""

    width: float
    height: float
    shapes: tuple[Shape, ...]
    arrows: tuple[Arrow, ...]


def drawn(nodes: Sequence[Node], edges: Sequence[tuple[str, str]]) -> Drawing:
    """Draw a graph with all that is in its boxes."""
    inner = _level(nodes, edges, depth=0)
    return _moved(inner, _MARGIN, _MARGIN, grow=2 * _MARGIN)


def _level(nodes: Sequence[Node], edges: Sequence[tuple[str, str]], depth: int) -> Drawing:
    insides = {
        node.key: _level(node.inside, node.edges, depth + 1) for node in nodes if node.inside
    }
    boxes = [Box(node.key, *_size(insides.get(node.key))) for node in nodes]
    links = edges or _grid(nodes)
    layout = layered(boxes, links)
    marks = {node.key: node.mark for node in nodes}
    places = {box.key: box for box in layout.boxes}
    shapes: list[Shape] = []
    arrows = [
        Arrow(_path(route.points), marks[route.source].tone) for route in layout.routes if edges
    ]
    for node in nodes:
        box = places[node.key]
        shapes.append(Shape(node, box.x, box.y, box.width, box.height, depth))
        if node.inside:
            inside = insides[node.key]
            left = box.x + (box.width - inside.width) / 2
            within = _moved(inside, left, box.y + _HEADER)
            shapes += within.shapes
            arrows += within.arrows
    return Drawing(layout.width, layout.height, tuple(shapes), tuple(arrows))


def _size(inside: Drawing | None) -> tuple[float, float]:
    if inside is None:
        return LEAF_WIDTH, LEAF_HEIGHT
    width = max(inside.width + 2 * _PADDING, _NARROWEST)
    return width, inside.height + _HEADER + _PADDING


def _grid(nodes: Sequence[Node]) -> list[tuple[str, str]]:
    """Put boxes without any arrow, if they are many, below one another by arrows of no account."""
    keys = [node.key for node in nodes]
    if len(keys) <= _SPREAD + 1:
        return []
    return list(zip(keys, keys[_SPREAD:], strict=False))


def _moved(drawing: Drawing, x: float, y: float, grow: float = 0.0) -> Drawing:
    return Drawing(
        drawing.width + grow,
        drawing.height + grow,
        tuple(replace(shape, x=shape.x + x, y=shape.y + y) for shape in drawing.shapes),
        tuple(replace(arrow, path=_shifted(arrow.path, x, y)) for arrow in drawing.arrows),
    )


def _path(points: Sequence[Point]) -> str:
    """Write a way as an SVG path that is vertical at each of its points."""
    (x, y), *rest = points
    parts = [f"M {x:.1f} {y:.1f}"]
    for to_x, to_y in rest:
        half = (to_y - y) / 2
        parts.append(f"C {x:.1f} {y + half:.1f} {to_x:.1f} {to_y - half:.1f} {to_x:.1f} {to_y:.1f}")
        x, y = to_x, to_y
    return " ".join(parts)


def _shifted(path: str, x: float, y: float) -> str:
    words = []
    across = True
    for word in path.split():
        if word.isalpha():
            words.append(word)
            across = True
            continue
        words.append(f"{float(word) + (x if across else y):.1f}")
        across = not across
    return " ".join(words)
