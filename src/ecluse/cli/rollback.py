"""The command that goes back: rollback."""

from typing import TYPE_CHECKING, Annotated

import typer

from ecluse.cli import options

if TYPE_CHECKING:
    from ecluse.workplace import Workplace


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(rollback)


def rollback(
    environment: Annotated[str, typer.Argument(help="The environment, such as prod.")],
    pipeline: Annotated[
        list[str] | None,
        typer.Argument(
            help="Only these pipelines; all that the newest promotion changed if none is given.",
            envvar="ECLUSE_ROLLBACK_PIPELINES",
        ),
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="RELEASE",
            help="As it was right after this release: a version, a commit, sha256:….",
            envvar="ECLUSE_ROLLBACK_TO",
        ),
    ] = None,
    with_model: Annotated[
        bool,
        typer.Option(
            "--with-model",
            help="Take the model along: its alias, and the traffic of endpoints that serve it.",
            envvar="ECLUSE_ROLLBACK_WITH_MODEL",
        ),
    ] = False,
    reason: Annotated[
        str | None,
        typer.Option("--reason", help="Why, for the ledger.", envvar="ECLUSE_ROLLBACK_REASON"),
    ] = None,
    break_glass: Annotated[
        str | None,
        typer.Option(
            "--break-glass",
            metavar="REASON",
            help="Take over from whoever is at work there, who is stopped by it. The reason stands "
            "in every report.",
        ),
    ] = None,
    wait: options.Wait = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would happen, and do nothing.")
    ] = False,
    repository: options.Repository = options.HERE,
    local: options.Local = False,
    markdown: options.MarkdownFile = None,
    json: options.Json = False,
) -> None:
    """Make live again what was live before: in seconds, with no run.

    Undoes the newest promotion, or goes back to a release. Given again, it finds its work done.
    """
    from ecluse.cli import output
    from ecluse.promotion.rollback import Retreat, draw_rollback, roll_back
    from ecluse.report.rollback import already_lines, return_report, return_table
    from ecluse.report.terminal import Board

    options.append_markdown(markdown, "")
    workplace = output.workplace(repository, local=local)
    console = output.console(quiet=json)
    release = (to or "").strip()
    retreat = Retreat(
        workplace.cloud(environment),
        by=workplace.actor,
        names=tuple(pipeline or ()),
        to=release,
        commit=_commit(workplace, release) if release else None,
        with_model=with_model,
        reason=options.reason(reason, "--reason") if reason else "",
        break_glass=options.reason(break_glass, "--break-glass"),
        wait=options.waiting_time(wait),
    )
    if dry_run:
        plan = draw_rollback(retreat)
        console.print(return_table(plan))
    else:
        plan = roll_back(
            retreat,
            Board(console),
            planned=lambda made: console.print(return_table(made)),
            waiting=lambda holding: console.print(f"  waiting: {holding.words}", markup=False),
        )
    for line in already_lines(plan, done=not dry_run):
        console.print(line)
    options.append_markdown(markdown, return_report(plan, retreat, done=not dry_run))
    if json:
        output.show_json({**plan.as_json(), "done": not dry_run})


def _commit(workplace: "Workplace", release: str) -> str | None:
    """Return the commit that git knows by a release's name, if it knows one here."""
    from ecluse.errors import InvalidInput
    from ecluse.repository.commit import resolve_commit

    try:
        return resolve_commit(workplace.catalog.root, release)
    except InvalidInput:
        return None
