"""Every `ecluse` command that a workflow or a build types, or a guide shows, exists as spelt."""

import itertools
from pathlib import Path
from typing import Any

import pytest
import typer

from ecluse.cli import register
from tests.workflows import commands, strict_yaml

ROOT = Path(__file__).parents[2]


def typed() -> list[tuple[str, tuple[str, ...]]]:
    """Return the file and the arguments of each command."""
    workflows = sorted((ROOT / ".github").glob("*/**/*.yaml"))
    builds = sorted((ROOT / "cloudbuild").glob("*.yaml"))
    documents = [
        ROOT / "docs/one-change.md",
        ROOT / "docs/setting-up.md",
        ROOT / "docs/rollback.md",
        ROOT / "docs/operating.md",
    ]
    found = [(file, arguments) for file in workflows for arguments in commands.of_workflow(file)]
    found += [(file, arguments) for file in builds for arguments in commands.of_build(file)]
    found += [(file, arguments) for file in documents for arguments in commands.of_document(file)]
    return [(file.relative_to(ROOT).as_posix(), arguments) for file, arguments in found]


def parsed(arguments: tuple[str, ...]) -> None:
    """Parse a command as the command line would, without running it; raises when it does not fit.

    Typer carries a click of its own that it does not show: hence `Any`.
    """
    app = typer.Typer()
    register(app)
    group: Any = typer.main.get_command(app)
    context = group.make_context("ecluse", list(arguments))
    name, command, rest = group.resolve_command(context, list(arguments))
    command.make_context(name, rest, parent=context)


@pytest.mark.parametrize(("file", "arguments"), typed(), ids=str)
def test_the_command_exists_and_takes_these_arguments(
    file: str, arguments: tuple[str, ...]
) -> None:
    parsed(arguments)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("promte", "prod"), "No such command"),
        (("promote", "prod", "--comit", "x"), "No such option"),
        (("promote",), "Missing parameter: environment"),
        (("image", "nonprod", "tool", "runtime"), "unexpected extra argument"),
    ],
)
def test_a_misspelt_command_would_be_noticed(arguments: tuple[str, ...], said: str) -> None:
    with pytest.raises(Exception, match=said):
        parsed(arguments)


def test_no_command_is_overlooked() -> None:
    where = [file for file, _ in typed()]
    assert where.count(".github/workflows/pull-request.yaml") == 3
    assert where.count(".github/workflows/merge.yaml") == 5
    assert where.count(".github/workflows/release.yaml") == 5
    assert where.count(".github/workflows/drift.yaml") == 4
    assert where.count("cloudbuild/release.yaml") == 2
    assert where.count("cloudbuild/promote.yaml") == 1
    assert where.count(".github/workflows/rollback.yaml") == 7
    assert where.count("cloudbuild/rollback.yaml") == 1
    assert where.count("cloudbuild/watch.yaml") == 1
    assert where.count("docs/operating.md") >= 20
    assert where.count("docs/rollback.md") >= 8
    assert where.count("docs/one-change.md") >= 10


def test_a_trigger_gets_each_substitution_that_its_build_declares() -> None:
    for _, arguments in typed():
        if arguments[0] != "trigger":
            continue
        build = (ROOT / f"cloudbuild/{arguments[2].removeprefix('ecluse-')}.yaml").read_text(
            "utf-8"
        )
        declared = set(strict_yaml.load(build)["substitutions"])
        given = {
            value.partition("=")[0]
            for option, value in itertools.pairwise(arguments)
            if option == "-s"
        }
        if "--with-ancestry" in arguments:
            given.add("_ANCESTRY")
        assert given == declared
