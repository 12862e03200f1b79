"""Lays out a graph in layers: boxes never overlap, and every arrow leads down.

The way of Sugiyama and others (1981): a layer for each box, after all boxes that it depends on; an
order within the layers that avoids crossings; and places as near to their neighbours' as the order
allows. Long arrows pass the layers between through gaps of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

GAP_ACROSS, GAP_DOWN = 22.0, 34.0
_LANE = 10.0  # the width of the gap that a long arrow passes through
_SWEEPS = 6
Point = tuple[float, float]


@dataclass(frozen=True)
class Box:
    """Something of a size; once placed, with its upper left corner."""

    key: str
    width: float
    height: float
    x: float = 0.0
    y: float = 0.0
    lane: bool = False

    @property
    def middle(self) -> float:
        """The x of its middle."""
        return self.x + self.width / 2


@dataclass(frozen=True)
class Route:
    """The way of an arrow, from point to point; it is vertical at each."""

    source: str
    target: str
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Layout:
    """Boxes in their places, all within the width and the height."""

    width: float
    height: float
    boxes: tuple[Box, ...]
    routes: tuple[Route, ...]


def layered(boxes: Sequence[Box], edges: Iterable[tuple[str, str]]) -> Layout:
    """Place boxes in layers; arrows that would close a circle are left out of it."""
    keys = {box.key: place for place, box in enumerate(boxes)}
    known = dict.fromkeys(
        (source, target)
        for source, target in edges
        if source in keys and target in keys and source != target
    )
    forward = _without_circles(tuple(keys), tuple(known))
    ranks = _ranks(tuple(keys), forward)
    rows: list[list[Box]] = [[] for _ in range(max(ranks.values(), default=-1) + 1)]
    for box in boxes:
        rows[ranks[box.key]].append(replace(box, lane=False))
    chains = {edge: _chain(edge, ranks) for edge in forward}
    for chain in chains.values():
        for key, rank in chain[1:-1]:
            rows[rank].append(Box(key, _LANE, 0.0, lane=True))
    links = [
        (before[0], after[0]) for chain in chains.values() for before, after in pairwise(chain)
    ]
    above, below = _neighbours(links)
    rows = _ordered(rows, above, below)
    return _drawn(_placed(rows, above, below), chains)


def _without_circles(
    keys: Sequence[str], edges: Sequence[tuple[str, str]]
) -> tuple[tuple[str, str], ...]:
    """Leave out the edges that lead back to where a walk along them came from."""
    after: dict[str, list[str]] = {key: [] for key in keys}
    for source, target in edges:
        after[source].append(target)
    back: set[tuple[str, str]] = set()
    state: dict[str, int] = {}
    for start in keys:
        stack = [(start, iter(after[start]))] if start not in state else []
        state.setdefault(start, 1)
        while stack:
            key, rest = stack[-1]
            target = next(rest, "")
            if not target:
                state[key] = 2
                stack.pop()
            elif state.get(target) == 1:
                back.add((key, target))
            elif target not in state:
                state[target] = 1
                stack.append((target, iter(after[target])))
    return tuple(edge for edge in edges if edge not in back)


def _ranks(keys: Sequence[str], edges: Sequence[tuple[str, str]]) -> dict[str, int]:
    """Give each box its layer: after all before it, and a beginning close to what follows."""
    above, below = _neighbours(edges)
    left = {key: len(above.get(key, ())) for key in keys}
    ready = [key for key in keys if not left[key]]
    ranks = dict.fromkeys(ready, 0)
    for key in ready:
        for target in below.get(key, ()):
            ranks[target] = max(ranks.get(target, 0), ranks[key] + 1)
            left[target] -= 1
            if not left[target]:
                ready.append(target)
    for key in keys:
        if not above.get(key) and below.get(key):
            ranks[key] = min(ranks[target] for target in below[key]) - 1
    return ranks


def _neighbours(
    edges: Iterable[tuple[str, str]],
) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    above: dict[str, list[str]] = {}
    below: dict[str, list[str]] = {}
    for source, target in edges:
        above.setdefault(target, []).append(source)
        below.setdefault(source, []).append(target)
    return above, below


def _chain(edge: tuple[str, str], ranks: Mapping[str, int]) -> list[tuple[str, int]]:
    """List what an arrow meets: its source, a lane in each layer between, its target."""
    source, target = edge
    between = range(ranks[source] + 1, ranks[target])
    lanes = [(f"{source}\n{target}\n{rank}", rank) for rank in between]
    return [(source, ranks[source]), *lanes, (target, ranks[target])]


def _ordered(
    rows: list[list[Box]], above: Mapping[str, list[str]], below: Mapping[str, list[str]]
) -> list[list[Box]]:
    """Order each layer by where its neighbours are, up and down in turn."""
    for sweep in range(_SWEEPS):
        downward = sweep % 2 == 0
        neighbours = above if downward else below
        order = range(len(rows)) if downward else range(len(rows) - 1, -1, -1)
        places: dict[str, float] = {}
        for number in order:
            # In shares of the layer: layers have unlike numbers of boxes.
            shares = [(place + 0.5) / len(rows[number]) for place in range(len(rows[number]))]
            wanted = {
                box.key: _mean([places[key] for key in neighbours.get(box.key, ())], share)
                for box, share in zip(rows[number], shares, strict=True)
            }
            rows[number] = sorted(rows[number], key=lambda box: wanted[box.key])
            places.update({box.key: share for box, share in zip(rows[number], shares, strict=True)})
    return rows


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def _placed(
    rows: list[list[Box]], above: Mapping[str, list[str]], below: Mapping[str, list[str]]
) -> list[list[Box]]:
    """Give each box its place: as near to its neighbours as its own layer lets it."""
    top = 0.0
    for number, row in enumerate(rows):
        height = max(box.height for box in row)
        rows[number] = _spread(
            [replace(box, y=top, height=height if box.lane else box.height) for box in row],
            [0.0] * len(row),
        )
        top += height + GAP_DOWN
    for sweep in range(_SWEEPS):
        downward = sweep % 2 == 0
        neighbours = above if downward else below
        middles = {box.key: box.middle for row in rows for box in row}
        order = range(len(rows)) if downward else range(len(rows) - 1, -1, -1)
        for number in order:
            wanted = [
                _mean([middles[key] for key in neighbours.get(box.key, ())], box.middle)
                for box in rows[number]
            ]
            rows[number] = _spread(rows[number], wanted)
            middles.update({box.key: box.middle for box in rows[number]})
    least = min((box.x for row in rows for box in row), default=0.0)
    return [[replace(box, x=box.x - least) for box in row] for row in rows]


def _spread(row: Sequence[Box], wanted: Sequence[float]) -> list[Box]:
    """Place a layer's boxes from left to right, their middles nearest to where they are wanted.

    What is nearest by least squares is found by pooling: boxes that would overlap move as one.
    """
    offsets = [0.0]
    for left, right in pairwise(row):
        offsets.append(offsets[-1] + (left.width + right.width) / 2 + GAP_ACROSS)
    pools: list[tuple[float, int]] = []  # the mean of what is wanted, and of how many
    for place, middle in enumerate(wanted):
        mean, count = middle - offsets[place], 1
        while pools and pools[-1][0] > mean:
            other, others = pools.pop()
            mean = (mean * count + other * others) / (count + others)
            count += others
        pools.append((mean, count))
    bases = [mean for mean, count in pools for _ in range(count)]
    return [
        replace(box, x=base + offset - box.width / 2)
        for box, base, offset in zip(row, bases, offsets, strict=True)
    ]


def _drawn(
    rows: Sequence[Sequence[Box]], chains: Mapping[tuple[str, str], list[tuple[str, int]]]
) -> Layout:
    placed = {box.key: box for row in rows for box in row}
    routes = []
    for (source, target), chain in chains.items():
        points: list[Point] = [(placed[source].middle, placed[source].y + placed[source].height)]
        for key, _ in chain[1:-1]:
            lane = placed[key]
            points += [(lane.middle, lane.y), (lane.middle, lane.y + lane.height)]
        points.append((placed[target].middle, placed[target].y))
        routes.append(Route(source, target, tuple(points)))
    boxes = tuple(box for box in placed.values() if not box.lane)
    everything = placed.values()
    return Layout(
        width=max((box.x + box.width for box in everything), default=0.0),
        height=max((box.y + box.height for box in everything), default=0.0),
        boxes=boxes,
        routes=tuple(routes),
    )
