"""The terminal: aligned tables, one colour for one meaning, progress while something runs.

Green is done, red is refused or failed, yellow is running, dim is nothing happened.
"""

import threading
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.markup import escape
from rich.status import Status
from rich.table import Table
from rich.text import Text

from ecluse import clock
from ecluse.canonical import short
from ecluse.cloud.run import FINISHED, Run, State, Task
from ecluse.promotion.gates import Verdict
from ecluse.promotion.outcome import Outcome
from ecluse.promotion.plan import Action, Plan

if TYPE_CHECKING:  # a plan's table must not wait for the clients that pruning needs
    from ecluse.upkeep.drift import Drift
    from ecluse.upkeep.history import HistoryRow
    from ecluse.upkeep.prune import Thing
    from ecluse.upkeep.status import Status as EnvironmentStatus
    from ecluse.upkeep.status import StatusRow

_MARKS: Final[dict[State, str]] = {
    "pending": "[dim]·[/]",
    "running": "[yellow]▸[/]",
    "succeeded": "[green]✓[/]",
    "failed": "[red]✗[/]",
    "cancelled": "[red]■[/]",
    "skipped": "[yellow]↷[/]",
    "not triggered": "[dim]–[/]",
}
_ENDINGS: Final[dict[str, str]] = {
    "activated": "[green]live[/]",
    "unchanged": "[dim]unchanged[/]",
    "retired": "[yellow]retired[/]",
    "running": "[yellow]running[/]",
    "held back": "[yellow]held back[/]",
    "refused": "[red]refused[/]",
    "failed": "[red]failed[/]",
}
_KINDS: Final[dict[str, str]] = {
    "create": "[green]create[/]",
    "update": "[yellow]update[/]",
    "unchanged": "[dim]unchanged[/]",
    "retire": "[red]retire[/]",
}

_DEEDS: Final[dict[str, str]] = {"activate": "green", "retire": "red", "rollback": "yellow"}

_LIVE = 2  # the column of the status table that has a colour


class Board:
    """Shows a promotion or a run while it goes on, a line for each thing that was finished."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._lock = threading.Lock()
        self._shown: set[tuple[str, str]] = set()
        self._speaking = ""  # whose line was the last: tasks do not say whose they are
        self._running: dict[str, str] = {}
        self._status: Status | None = None

    def step(self, pipeline: str, text: str) -> None:
        """Show a finished step."""
        with self._lock:
            self._speaking = pipeline
            self._console.print(f"  [green]✓[/] [bold]{escape(pipeline)}[/]  {escape(text)}")

    def running(self, pipeline: str, run: Run) -> None:
        """Show tasks that finished since the last look, and those that run."""
        with self._lock:
            for task in run.steps:
                key = (run.name, task.id)
                if task.state in FINISHED and key not in self._shown:
                    self._shown.add(key)
                    if self._speaking != pipeline:
                        self._speaking = pipeline
                        self._console.print(f"  [bold]{escape(pipeline)}[/]  tasks")
                    self._console.print(_task_line(task))
            busy = [task.name for task in run.steps if task.state == "running"]
            if run.finished:
                self._running.pop(pipeline, None)
            else:
                self._running[pipeline] = ", ".join(busy) or run.state
            self._show_running()

    def judged(self, pipeline: str, verdicts: tuple[Verdict, ...]) -> None:
        """Show what the gates said."""
        with self._lock:
            self._speaking = pipeline
            self._console.print(f"  [bold]{escape(pipeline)}[/]  gates")
            self._console.print(verdict_table(verdicts))

    def _show_running(self) -> None:
        if not self._console.is_terminal:
            return
        if not self._running:
            if self._status is not None:
                self._status.stop()
                self._status = None
            return
        text = "   ".join(f"{escape(name)}: {escape(t)}" for name, t in self._running.items())
        if self._status is None:
            self._status = self._console.status(text, spinner="dots")
            self._status.start()
        else:
            self._status.update(text)


def _task_line(task: Task) -> str:
    elapsed = clock.duration(task.elapsed) if task.elapsed is not None else ""
    detail = f"[dim]{task.state}[/]" if task.state not in ("succeeded", "failed") else ""
    if task.state == "failed" and task.error:
        detail = f"[red]{escape(task.error)}[/]"
    return f"      {_MARKS[task.state]} {escape(task.name):<28} {elapsed:>8}  {detail}".rstrip()


def verdict_table(verdicts: Iterable[Verdict]) -> Table:
    """Return a table of verdicts; only the rules, its last column, give way to narrow terminals."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    table.add_column("     ", no_wrap=True)
    table.add_column("gate", no_wrap=True)
    for number in ("value", "limit", "champion"):
        table.add_column(number, justify="right", no_wrap=True)
    table.add_column("rule", overflow="fold")
    for verdict in verdicts:
        mark = "[green]✓[/]" if verdict.passed else "[red]✗[/]"
        if verdict.warns:
            mark = "[yellow]![/]"
        note = f" [dim]({escape(verdict.note)})[/]" if verdict.note else ""
        warning = " [dim]· only a warning[/]" if verdict.severity == "warning" else ""
        table.add_row(
            f"    {mark}",
            escape(verdict.metric),
            *(escape(number) for number in verdict.numbers),
            f"{escape(verdict.rule)}{note}{warning}",
        )
    return table


def plan_table(plan: Plan) -> Table:
    """Return a table of a plan's actions."""
    table = Table(box=None, padding=(0, 2), header_style="dim", pad_edge=False)
    for column in ("  pipeline", "action", "because of", "live now", "would be"):
        table.add_column(column, overflow="fold")
    if plan.freeze:
        table.caption = Text(f"  {plan.environment} is {plan.freeze}", style="bold red")
        table.caption_justify = "left"
    for action in plan.actions:
        table.add_row(
            f"  {escape(action.pipeline)}",
            _KINDS[action.kind],
            because(action),
            short(action.live) if action.live else "",
            short(action.target) if action.target else "",
        )
    return table


def plan_lines(plan: Plan, notes: Sequence[str] = ()) -> Iterable[str]:
    """Yield what there is to say of a plan as a whole, a line each."""
    for text in plan.mass_changes:
        yield f"  [cyan]{escape(text)}[/]"
    for obstacle in plan.obstacles:
        yield f"  [red]! a promotion would be refused: {escape(obstacle)}[/]"
    for note in notes:
        yield f"  [yellow]{escape(note)}[/]"


def because(action: Action) -> str:
    """Return why an action is done, and that a quick run will do where it does."""
    smoke = " (a smoke run will do)" if action.qualification == "smoke" else ""
    return f"{', '.join(action.reasons)}{smoke}"


def outcome_lines(outcomes: Sequence[Outcome], environment: str) -> Iterable[str]:
    """Yield a line for each pipeline of a promotion, and what went wrong."""
    width = max((len(outcome.pipeline) for outcome in outcomes), default=0)
    for outcome in outcomes:
        live = f"{short(outcome.digest)} is live" if outcome.digest else "nothing is live"
        yield (
            f"  {escape(outcome.pipeline):<{width}}  {_ENDINGS[outcome.ending]}  "
            f"[dim]{live} in {environment}[/]"
        )
        # Why a gate refused stands in its table already.
        if outcome.error is not None and outcome.ending != "refused":
            yield f"  [red]{escape(str(outcome.error))}[/]"
        for exception in outcome.exceptions:
            yield f"  [bold red]! {escape(exception)}[/]"


def status_table(rows: "Sequence[StatusRow]") -> Table:
    """Return a table of what is live where; columns after `since` give way where it is narrow."""
    fixed = ("  environment", "pipeline", "live", "release", "since")
    now = clock.now()
    cells = [
        (
            f"  {row.environment}",
            row.pipeline,
            short(row.digest) if row.digest else "retired",
            row.version or row.commit[:9],
            f"{clock.age(row.since, now)} ago",
        )
        for row in rows
    ]
    table = Table(box=None, padding=(0, 1), header_style="dim", pad_edge=False)
    for index, column in enumerate(fixed):
        width = max(len(text) for text in (column, *(line[index] for line in cells)))
        table.add_column(column, no_wrap=True, min_width=width)
    for column in ("last run", "next run", "drift", "by"):
        table.add_column(column, no_wrap=column == "by", overflow="ellipsis")
    for row, line in zip(rows, cells, strict=True):
        colour = "green" if row.digest else "yellow"
        texts = [
            Text(text, style=colour if index == _LIVE else "") for index, text in enumerate(line)
        ]
        table.add_row(
            *texts,
            _last_run(row, now),
            Text(f"in {clock.age(now, row.next_run)}" if row.next_run else ""),
            _drift(row.drift),
            Text(f"{row.by} (rollback)" if row.action == "rollback" else row.by),
        )
    return table


def status_notes(statuses: "Iterable[EnvironmentStatus]") -> Iterable[Text]:
    """Yield what a reader of the table has to know besides, the exceptions loudly."""
    for status in statuses:
        if status.at_work:
            yield Text(f"  {status.environment}: {status.at_work}", style="yellow")
        if status.unread is not None:
            said = f"  {status.environment}: runs and schedules could not be read: {status.unread}"
            yield Text(said, style="yellow")
        for row in status.rows:
            for exception in row.exceptions:
                yield Text(f"  ! {row.environment} {row.pipeline}: {exception}", style="bold red")


def _last_run(row: "StatusRow", now: datetime) -> Text:
    run = row.last_run
    if run is None:
        return Text("")
    age = f" {clock.age(run.created, now)} ago" if run.created is not None else ""
    style = {"succeeded": "green", "failed": "red", "running": "yellow"}.get(run.state, "")
    return Text.assemble((run.state, style), age)


def _drift(count: int | None) -> Text:
    if count is None:
        return Text("?", style="dim")
    return Text(str(count), style="bold red") if count else Text("none", style="dim")


def history_table(rows: "Iterable[HistoryRow]") -> Table:
    """Return a table of a pipeline's history; what was done past a check stands out in red."""
    table = Table(box=None, padding=(0, 1), header_style="dim", pad_edge=False)
    for column in ("  #", "when", "what", "digest", "release", "by", "why"):
        table.add_column(column, no_wrap=column != "why", overflow="fold")
    for row in rows:
        release = f"{row.version} ({row.commit[:9]})" if row.version else row.commit[:9]
        table.add_row(
            f"  {row.sequence}",
            clock.rfc3339(row.at),
            Text(row.action, style=_DEEDS.get(row.action, "")),
            short(row.digest) if row.digest else "",
            release,
            Text(row.by),
            said(row.reason, row.override, row.break_glass),
        )
    return table


def prune_table(things: "Iterable[Thing]", undone: Mapping[str, str]) -> Table:
    """Return a table of what goes, and of why the rest stays."""
    table = Table(box=None, padding=(0, 1), header_style="dim", pad_edge=False)
    for column in ("  what", "which", "made", "stays because"):
        table.add_column(column, overflow="fold")
    now = clock.now()
    for thing in things:
        if thing.name in undone:
            why = Text(f"could not be deleted: {undone[thing.name]}", style="red")
        elif thing.goes:
            why = Text("goes", style="yellow")
        else:
            why = Text(thing.reason, style="dim")
        made = f"{clock.age(thing.created, now)} ago"
        table.add_row(f"  {thing.kind}", Text(thing.shown), made, why)
    return table


def said(reason: str, override: str, break_glass: str) -> Text:
    """Return what somebody said about an entry, the exceptions loudly."""
    parts = []
    if override:
        parts.append(Text(f"OVERRIDE: {override}", style="bold red"))
    if break_glass:
        parts.append(Text(f"BREAK-GLASS: {break_glass}", style="bold red"))
    if reason:
        parts.append(Text(reason))
    return Text("; ").join(parts)


def drift_table(drift: "Drift") -> Table:
    """Return a table of what is not as the ledger says, each with what became of it or to do."""
    table = Table(box=None, padding=(0, 2), header_style="dim", pad_edge=False)
    table.add_column("  pipeline", no_wrap=True)
    table.add_column("what", overflow="fold")
    table.add_column("next", overflow="fold")
    for each in drift.found:
        mark = "[green]✓[/]" if each.done else "[red]✗[/]"
        then = escape(each.done or drift.advice(each))
        if each.error is not None:
            then = f"[red]{escape(each.error.what)}[/] → {then}"
        table.add_row(
            f"{mark} {escape(each.difference.pipeline)}", escape(str(each.difference)), then
        )
    return table


def run_summary(run: Run) -> str:
    """Return one line on how a run ended."""
    took = f" after {clock.duration(run.elapsed)}" if run.elapsed is not None else ""
    return f"{_MARKS[run.state]} {run.id} {run.state}{took}"
