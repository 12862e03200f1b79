"""What a page consists of: plain values, made by the nouns' modules, written by the templates.

A page is a title and blocks, one below the other. The name of a block's class is the name of the
macro in `templates/blocks.html` that writes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gcp_local.page.drawing import Drawing


class Tone(StrEnum):
    """What a colour means, everywhere."""

    GOOD = "good"
    BAD = "bad"
    LIVE = "live"
    WAIT = "wait"
    SOFT = "soft"


@dataclass(frozen=True)
class Mark:
    """A state: a word, a sign and a colour that say the same."""

    word: str
    tone: Tone
    sign: str


@dataclass(frozen=True)
class Link:
    """A text that leads somewhere; without an address it leads nowhere."""

    text: str
    href: str = ""
    title: str = ""


@dataclass(frozen=True)
class Cell:
    """One value, in a table or beside a name.

    Attributes:
        text: what is read.
        href: where it leads.
        mark: a state, which is written in place of the text.
        title: what is shown to whoever points at it.
        code: whether it is written as code.
        number: whether it is a quantity, aligned as such.
        moment: the time that the text tells.
        depth: how far it is indented.
        links: several links in place of the text.
        share: a bar of this share of the width (from, to), in place of the text.

    """

    text: str = ""
    href: str = ""
    mark: Mark | None = None
    title: str = ""
    code: bool = False
    number: bool = False
    moment: datetime | None = None
    depth: int = 0
    links: Sequence[Link] = ()
    share: tuple[float, float] | None = None


@dataclass(frozen=True)
class Note:
    """A paragraph that stands out."""

    text: str
    tone: Tone = Tone.SOFT
    code: str = ""
    links: Sequence[Link] = ()


@dataclass(frozen=True)
class Facts:
    """Names and their values."""

    facts: Sequence[tuple[str, Cell]]
    title: str = ""


@dataclass(frozen=True)
class Table:
    """Rows under headings.

    Attributes:
        title: its caption.
        headings: the columns' names.
        rows: as many cells each.
        empty: what is said when there is no row: what would be here, and how it comes about.
        example: the command or snippet that makes one.
        more: where there is more of it.
        note: a line under the caption.

    """

    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    empty: str = "None."
    example: str = ""
    more: Sequence[Link] = ()
    note: str = ""


@dataclass(frozen=True)
class Text:
    """Plain text, as it stands: a log, a JSON document.

    Attributes:
        folded: shown when it is asked for.
        end: whether its end matters most, as of a log.

    """

    title: str
    text: str
    more: Sequence[Link] = ()
    folded: bool = False
    note: str = ""
    end: bool = False


@dataclass(frozen=True)
class Frame:
    """A document of a user's own, in a sandbox."""

    title: str
    source: str
    more: Sequence[Link] = ()


@dataclass(frozen=True)
class Picture:
    """An image of a user's own."""

    title: str
    source: str


@dataclass(frozen=True)
class Graph:
    """Boxes and arrows."""

    title: str
    drawing: Drawing
    note: str = ""


@dataclass(frozen=True)
class Matrix:
    """A confusion matrix: true classes in rows, predicted ones in columns.

    `shades` tells for each count how much of its row it is, from 0 to 4.
    """

    title: str
    classes: Sequence[str]
    rows: Sequence[tuple[str, Sequence[tuple[str, int]]]]


@dataclass(frozen=True)
class Curve:
    """A curve in the unit square, as the `points` of an SVG polyline that is 100 wide and high."""

    title: str
    points: str
    across: str
    up: str
    note: str = ""


@dataclass(frozen=True)
class Numbers:
    """Metrics: whose they are, and each by its name; many of one owner are folded."""

    title: str
    groups: Sequence[tuple[Link, Sequence[tuple[str, Cell]]]]
    empty: str = ""


@dataclass(frozen=True)
class Trend:
    """A quantity over time, oldest first, as lines in a box that is 100 wide and 30 high."""

    name: str
    points: str
    dots: Sequence[tuple[float, float, str]]
    least: str
    most: str


@dataclass(frozen=True)
class Trends:
    """Several quantities over the same time."""

    title: str
    trends: Sequence[Trend]
    note: str = ""


@dataclass(frozen=True)
class Cards:
    """Places to go, each with what is there."""

    title: str
    cards: Sequence[Card]
    empty: str = ""
    example: str = ""
    note: str = ""


@dataclass(frozen=True)
class Card:
    """One place to go."""

    title: Link
    lines: Sequence[Link]


@dataclass(frozen=True)
class Choice:
    """Links of which one is where we are."""

    label: str
    links: Sequence[tuple[Link, bool]]


Block = (
    Note
    | Numbers
    | Facts
    | Table
    | Text
    | Frame
    | Picture
    | Graph
    | Matrix
    | Curve
    | Trends
    | Cards
    | Choice
)


@dataclass(frozen=True)
class View:
    """A page.

    Attributes:
        title: its heading.
        trail: the way to it from the beginning.
        blocks: what is on it.
        kind: what it is a page of, above the heading.
        mark: the state of what it is about.
        live: whether it is to be looked at again in a moment.
        tabs: its neighbours; the one that it belongs to is marked.
        api: where the API answers the same.
        status: the HTTP status.

    """

    title: str
    trail: Sequence[Link] = ()
    blocks: Sequence[Block] = ()
    kind: str = ""
    mark: Mark | None = None
    live: bool = False
    tabs: Sequence[tuple[Link, bool]] = field(default=())
    api: str = ""
    status: int = 200
