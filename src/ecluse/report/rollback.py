"""How a rollback looks: on a terminal, and in Markdown."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from rich.console import Group
from rich.markup import escape
from rich.table import Table

from ecluse import clock
from ecluse.canonical import short
from ecluse.ledger.records import Entry
from ecluse.promotion.returns import Return, ReturnPlan, label
from ecluse.report.markup import code, table, text

if TYPE_CHECKING:
    from ecluse.promotion.rollback import Retreat

_KINDS: Final[dict[str, tuple[str, str]]] = {
    "rollback": ("goes back", "green"),
    "retire": ("is taken out", "red"),
    "already": ("is back already", "dim"),
    "stays": ("stays: nothing older was live", "yellow"),
}


def return_table(plan: ReturnPlan) -> Group:
    """Return a table of what a rollback does, from where to where."""
    shown = Table(box=None, padding=(0, 2), header_style="dim", pad_edge=False)
    for column in ("  pipeline", "", "from", "to"):
        shown.add_column(column, overflow="fold")
    now = clock.now()
    for back in plan.returns:
        said, colour = _KINDS[back.kind]
        state = "live" if back.last.is_live else "retired"
        was = f"{_cell(back.last)}  [dim]{state} {clock.age(back.last.at, now)}[/]"
        shown.add_row(
            f"  {escape(back.pipeline)}",
            f"[{colour}]{said}[/]",
            was if back.changes else "",
            _cell(back.target) if back.target is not None else "",
        )
    notes = [
        f"  [yellow]passed over[/] {escape(note)}" for b in plan.returns for note in b.passed_over
    ]
    notes += [f"  [bold red]! {escape(said)}[/]" for said in _overrides(plan)]
    return Group(f"  rollback of {plan.environment}: [bold]{escape(plan.words)}[/]", shown, *notes)


def already_lines(plan: ReturnPlan, *, done: bool) -> Iterable[str]:
    """Yield what to say where a rollback had nothing to do: how to go further back."""
    if plan.changes:
        return
    if not plan.returns:
        yield "  nothing to do: that is what is live"
    elif done:
        yield "  [green]✓[/] nothing to do: it went back before, and the cloud follows the ledger"
    else:
        yield "  nothing to do in the ledger: it went back before"
    environment = plan.environment
    yield (
        f"  [dim]to go further back, say where to: `ecluse rollback {environment} --to RELEASE`; "
        f"`ecluse history {environment} PIPELINE` lists them[/]"
    )


def return_report(plan: ReturnPlan, retreat: "Retreat", *, done: bool) -> str:
    """Return what a rollback did, or would do."""
    title = "Rollback of" if done else "What a rollback would do in"
    parts = [f"## {title} {text(plan.environment)}\n\n{text(plan.words)}\n"]
    for name, said in (("Reason", retreat.reason), ("🚨 BREAK GLASS", retreat.break_glass)):
        if said:
            parts.append(f"**{name}**: {text(said)} (by {text(retreat.by)})\n")
    parts.append(table(("pipeline", "", "from", "to"), (_row(back) for back in plan.returns)))
    parts += [f"> 🚨 **{text(said)}**\n" for said in _overrides(plan)]
    parts += [f"> passed over {text(note)}\n" for b in plan.returns for note in b.passed_over]
    return "\n".join(parts)


def _overrides(plan: ReturnPlan) -> list[str]:
    """Return what an override had let go live that goes live again."""
    return [
        f"{back.pipeline}: override: {back.target.override}"
        for back in plan.returns
        if back.target is not None and back.target.override
    ]


def _cell(entry: Entry) -> str:
    return f"{short(entry.digest)} [dim]{escape(label(entry))}[/]"


def _row(back: Return) -> tuple[str, str, str, str]:
    target = back.target
    return (
        text(back.pipeline),
        _KINDS[back.kind][0],
        f"{code(short(back.last.digest))} {text(label(back.last))}" if back.changes else "",
        f"{code(short(target.digest))} {text(label(target))}" if target is not None else "",
    )
