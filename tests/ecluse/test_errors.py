"""The errors: each has something to do, and the page that lists them tells what is so."""

import ast
import json
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import typer.main

from ecluse import errors
from ecluse.cli import command_line
from ecluse.errors import EcluseError, InvalidInput, Refused
from tests.ecluse import errors_page
from tests.ecluse.conftest import Commands

ENGINE = Path(__file__).parents[2] / "src" / "ecluse"
KINDS = errors_page.classes()
GENERAL = (EcluseError, InvalidInput, Refused)


class Made:
    """A place in the engine where an error is made."""

    def __init__(self, file: Path, call: ast.Call, kind: type[EcluseError]) -> None:
        self.where = f"{file.relative_to(ENGINE.parent)}:{call.lineno}"
        self.kind = kind
        given = {keyword.arg: keyword.value for keyword in call.keywords}
        self.what = call.args[0] if call.args else given.get("what")
        self.fix = given.get("fix")
        self.passes_others_on = None in given

    @property
    def pattern(self) -> str:
        """What its sentence can be, as a regular expression."""
        return pattern_of(self.what)


def pattern_of(node: ast.expr | None) -> str:
    """Return what a string can be, as far as its source tells."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return re.escape(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(pattern_of(part) for part in node.values)
    return ".+"


@cache
def made() -> tuple[Made, ...]:
    """Every place in the engine where an error is made."""
    return tuple(_made())


def _made() -> Iterator[Made]:
    kinds = {kind.__name__: kind for kind in (*KINDS, EcluseError)}
    for file in sorted(ENGINE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                if name in kinds:
                    yield Made(file, node, kinds[name])


def test_the_page_is_what_the_errors_say_of_themselves() -> None:
    on_disk = errors_page.PAGE.read_text(encoding="utf-8")
    assert on_disk == errors_page.page(), "write it: python -m tests.ecluse.errors_page"


def test_the_tree_names_every_error_once_and_under_its_parent() -> None:
    lines = errors_page.tree().splitlines()[1:]
    drawn = [re.sub(r"^[│├└─ ]+", "", line).split()[0] for line in lines]
    assert drawn == [kind.__name__ for kind in KINDS]
    parents = {InvalidInput: EcluseError, Refused: EcluseError}
    under: type[EcluseError] = EcluseError
    for kind in KINDS:
        if kind in parents:
            under = kind
        assert issubclass(kind, under)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_error_has_something_to_do_and_an_example(kind: type[EcluseError]) -> None:
    assert (kind.usual_fix == "") == (kind in GENERAL)
    line = errors_page.shown(kind)
    assert " → " in line
    assert "\n" not in line
    assert kind("what").fix == kind.usual_fix
    assert kind("what", fix="this").fix == "this"


def test_every_place_that_makes_an_error_says_what_to_do() -> None:
    assert len(made()) > 100
    silent = [
        each.where
        for each in made()
        if (each.fix is None or pattern_of(each.fix) == "")
        and not each.kind.usual_fix
        and not each.passes_others_on
    ]
    assert not silent, "give these a fix=, the next command to type"


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_example_is_what_some_place_would_say(kind: type[EcluseError]) -> None:
    places = [each for each in made() if each.kind is kind]
    if not places:
        pytest.skip(f"nothing makes a {kind.__name__}")
    assert kind.example is not None
    assert any(re.fullmatch(each.pattern, kind.example.what) for each in places)


def test_every_command_that_the_page_names_exists() -> None:
    commands = typer.main.get_command(command_line()).commands  # type: ignore[attr-defined]
    named = re.findall(r"`ecluse ([^`]+)`", errors_page.page())
    assert len(named) > 10
    for line in named:
        name, *words = shlex.split(line)
        assert name in commands, line
        options = {word for each in commands[name].params for word in each.opts}
        for word in words:
            assert not word.startswith("-") or word in options, line


def test_the_answer_in_json_names_the_kind(ecluse: Commands) -> None:
    answer = ecluse("status", "prd", "--json")
    assert answer.code == 2
    error = json.loads(answer.out)["error"]
    assert error["kind"] == "UnknownEnvironment"
    assert issubclass(getattr(errors, error["kind"]), EcluseError)
    assert error["fix"] == "did you mean `prod`?"
