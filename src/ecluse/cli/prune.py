"""The command that deletes what nothing can reach any more."""

from typing import Annotated

import typer

from ecluse.cli import options
from ecluse.errors import InvalidInput, Refused


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(prune)


def prune(
    environment: Annotated[str, typer.Argument(help="The environment, such as nonprod.")],
    keep: Annotated[
        int,
        typer.Option(
            min=2, help="How many of each pipeline's newest ledger entries can reach something."
        ),
    ] = 20,
    older_than: Annotated[
        str, typer.Option(help="Leave what is younger, such as 30d, whatever reaches it.")
    ] = "7d",
    yes: Annotated[bool, typer.Option("--yes", help="Delete; without it nothing is.")] = False,
    wait: options.Wait = None,
    repository: options.Repository = options.HERE,
    local: options.Local = False,
    json: options.Json = False,
) -> None:
    """Delete templates, images and releases that no ledger entry of the last promotions can reach.

    Shows what would go and why the rest stays; deletes with --yes only, under the lease.
    """
    from ecluse import clock
    from ecluse.cli import output
    from ecluse.ledger.alone import alone
    from ecluse.report.terminal import prune_table
    from ecluse.repository.duration import parse_duration
    from ecluse.upkeep import prune as pruning

    try:
        limit = parse_duration(older_than)
    except ValueError as error:
        raise InvalidInput(
            str(error), where="--older-than", fix="write it like --older-than 7d"
        ) from None
    workplace = output.workplace(repository, local=local)
    cloud = workplace.cloud(environment)
    others = [each for each in workplace.clouds() if each.environment.name != environment]
    console = output.console(quiet=json)

    def decided() -> tuple[pruning.Found, tuple[pruning.Thing, ...]]:
        found = pruning.look(cloud, others, keep=keep)
        return found, pruning.decide(found, keep=keep, older_than=limit, now=clock.now())

    undone: dict[str, str] = {}
    if yes:
        with alone(
            cloud,
            by=workplace.actor,
            purpose="prunes what nothing reaches",
            wait=options.waiting_time(wait),
        ):
            found, things = decided()
            undone = pruning.delete(cloud, found, things)
    else:
        _, things = decided()
    if json:
        output.show_json(
            {
                "deleted": [
                    each.name for each in things if yes and each.goes and each.name not in undone
                ],
                "could_not": undone,
                "things": [each.as_json() for each in things],
            }
        )
    else:
        console.print(prune_table(things, undone))
        going = sum(each.goes for each in things)
        would = f"{going} would go: add --yes" if going else "nothing would go"
        done = f"{going - len(undone)} deleted" if yes else would
        console.print(f"  {done}; {len(things) - going} stay")
    if undone:
        name, why = next(iter(undone.items()))
        problem = Refused(
            f"{len(undone)} could not be deleted: {why}",
            where=name,
            fix="what a retention policy or an immutable tag holds goes when that ends; "
            f"then `ecluse prune {environment} --yes` again",
        )
        problem.answered = json
        raise problem
