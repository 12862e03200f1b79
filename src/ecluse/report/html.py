"""The HTML report: one self-contained file, no script, nothing loaded from elsewhere."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files

import jinja2

from ecluse import clock
from ecluse.canonical import short
from ecluse.cloud.run import Run
from ecluse.promotion.outcome import Outcome
from ecluse.upkeep.status import StatusRow


@dataclass(frozen=True)
class Chapter:
    """One promotion, for the report.

    Attributes:
        title: what happened, such as `A merge`.
        subtitle: the commit or the tag.
        environment: where it went.
        outcomes: what was done.
        pages: HTML reports that tasks wrote, by `pipeline · task · artifact`.

    """

    title: str
    subtitle: str
    environment: str
    outcomes: tuple[Outcome, ...]
    pages: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Bar:
    """One task on a run's time line; offsets and widths in percent of the run."""

    name: str
    state: str
    left: float
    width: float
    took: str


def render(chapters: Sequence[Chapter], rows: Sequence[StatusRow], *, source: str) -> str:
    """Return the report of some promotions and of what is live after them.

    Args:
        chapters: the promotions, in order.
        rows: the status afterwards.
        source: what data the runs used, in words.

    """
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters.update(
        short=short, bars=time_line, duration=clock.duration, rfc3339=clock.rfc3339
    )
    template = files("ecluse.report").joinpath("report.html.j2").read_text(encoding="utf-8")
    return environment.from_string(template).render(
        chapters=chapters, grid=_grid(rows), source=source, made_at=clock.now()
    )


def time_line(run: Run) -> list[Bar]:
    """Return a run's tasks as bars on its time line."""
    moments = [m for task in run.steps for m in (task.started, task.ended) if m is not None]
    if not moments:
        return []
    begin, end = min(moments), max(moments)
    whole = max((end - begin).total_seconds(), 1e-9)

    def offset(moment: datetime) -> float:
        return 100 * (moment - begin).total_seconds() / whole

    return [
        Bar(
            name=task.name,
            state=task.state,
            left=offset(task.started),
            width=max(offset(task.ended) - offset(task.started), 0.6),
            took=clock.duration(task.ended - task.started),
        )
        for task in run.steps
        if task.started is not None and task.ended is not None
    ]


def _grid(rows: Iterable[StatusRow]) -> dict[str, dict[str, StatusRow]]:
    """Arrange the status by pipeline, then environment."""
    grid: dict[str, dict[str, StatusRow]] = {}
    for row in rows:
        grid.setdefault(row.pipeline, {})[row.environment] = row
    return grid
