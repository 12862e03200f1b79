"""README.md and docs/operating.md: no command is left out, and every link leads somewhere."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from ecluse.cli import command_line
from ecluse.repository.settings import PipelineSettings

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/operating.md"
LINK = re.compile(r"\]\((?!http)([^)#]*)(?:#([^)]+))?\)")


def test_the_readme_names_every_command_and_no_other() -> None:
    line: Any = get_command(command_line())
    named = re.findall(r"^\| `ecluse (\w+)", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert sorted(set(named)) == sorted(line.commands)


@pytest.mark.parametrize("file", [PAGE, ROOT / "README.md"], ids=lambda file: file.name)
def test_every_link_leads_to_a_file_and_a_heading(file: Path) -> None:
    links = LINK.findall(file.read_text(encoding="utf-8"))
    assert links
    for target, heading in links:
        found = file.parent / target if target else file
        assert found.exists(), target
        if heading:
            assert heading in headings(found), f"{target}#{heading}"


def headings(file: Path) -> set[str]:
    """Return what GitHub calls a page's headings in a link."""
    texts = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", text.lower()).replace(" ", "-") for text in texts}


def test_the_settings_on_the_operators_page_are_settings() -> None:
    (shown,) = re.findall(r"```yaml\n(.+?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    values = {"description": "", "owner": "ann@example.com", **yaml.safe_load(shown)}
    settings = PipelineSettings.model_validate(values)
    watches = [settings.watch_in(name) for name in ("nonprod", "prod")]
    assert [watch is not None and watch.rollback for watch in watches] == [False, True]
