"""How the first runs by schedule look: on a terminal, and in Markdown."""

from collections.abc import Sequence
from typing import Final

from rich.markup import escape
from rich.table import Table

from ecluse import clock
from ecluse.promotion.fallback import Seen
from ecluse.report.markup import code, table, text
from ecluse.upkeep.watch import Sight

_MARKS: Final[dict[str, tuple[str, str]]] = {
    "waits": ("[dim]·[/]", "⏳"),
    "runs": ("[yellow]▸[/]", "⏳"),
    "succeeded": ("[green]✓[/]", "✅"),
    "failed": ("[red]✗[/]", "❌"),
    "not started": ("[red]✗[/]", "❌"),
    "off": ("[red]■[/]", "❌"),
    "not watched": ("[dim]–[/]", "–"),
}


def watch_table(seen: Sequence[Seen], environment: str) -> Table:
    """Return a table of how it stands with each pipeline's first run by schedule."""
    shown = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    shown.add_column("  pipeline", no_wrap=True)
    shown.add_column("first run by schedule", overflow="fold")
    shown.add_column("then", overflow="fold")
    for each in seen:
        mark = _MARKS[each.sight.state][0]
        then = escape(_then(each, environment))
        if each.error is not None:
            then = f"[red]{escape(each.error.what)}[/] → {then}"
        said = escape("; ".join(_said(each.sight)))
        shown.add_row(f"  {mark} {escape(each.sight.pipeline)}", said, then)
    return shown


def watch_report(seen: Sequence[Seen], environment: str) -> str:
    """Return the same for a job's summary."""
    heading = f"## First runs by schedule in {text(environment)}"
    if not seen:
        return f"{heading}\n\nNo live pipeline asks for a `watch:`.\n"
    return f"{heading}\n\n" + table(
        ("pipeline", "first run by schedule", "then"),
        (
            (
                text(each.sight.pipeline),
                f"{_MARKS[each.sight.state][1]} {text('; '.join(_said(each.sight)))}",
                _then_in_markdown(each, environment),
            )
            for each in seen
        ),
    )


def _said(sight: Sight) -> list[str]:
    said = [_state(sight)]
    if sight.fallen is not None:
        said.append(f"came back when {sight.fallen.run_id} failed")
    return said


def _state(sight: Sight) -> str:
    run = sight.run.rsplit("/", 1)[-1]
    next_run = f"; next {clock.rfc3339(sight.next_run)}" if sight.next_run is not None else ""
    match sight.state:
        case "waits":
            return f"not yet{next_run}"
        case "runs":
            return f"runs {sight.words}: {run}"
        case "not started":
            return f"did not start: {sight.words}{next_run}"
        case "off":
            return f"never: {sight.words}"
        case "not watched":
            return "not watched"
        case _:
            assert sight.watched is not None, "what ended has an end"
            failure = f": {sight.watched.failure}" if sight.watched.failure else ""
            return f"{sight.state} {clock.rfc3339(sight.watched.ended)}, {run}{failure}"


def _then(seen: Seen, environment: str) -> str:
    return seen.done or seen.next(environment)


def _then_in_markdown(seen: Seen, environment: str) -> str:
    if seen.done:
        return f"↩️ {text(seen.done)}"
    error = f"{text(seen.error.what)}; " if seen.error is not None else ""
    command = seen.next(environment)
    return f"{error}{code(command)}" if command else error
