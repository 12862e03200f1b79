"""What the command line says of itself."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from gcp_local.cli import SERVICES, main
from tests.gcp_local.coverage import BEGIN, END, PAGE


def said_by(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 0
    return capsys.readouterr().out


def test_the_help_names_every_service_that_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    table = PAGE.read_text().partition(BEGIN)[2].partition(END)[0]
    rows = re.findall(r"^\| google\.(?!longrunning)([\w.]+) \| (.+) \| .* \|$", table, re.MULTILINE)
    there = {service.rpartition(".")[2] for service, methods in rows if methods != "–"}
    assert there == set(SERVICES) - {"BigQuery", "Cloud Storage"}
    assert "\n| bigquery.tables |" in table
    text = said_by(capsys, "--help")
    for service, what in SERVICES.items():
        assert re.search(rf"^  {service} +{what}$", text, re.MULTILINE)


def test_the_page_has_a_row_for_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    options = set(re.findall(r"^  (--[a-z-]+)", said_by(capsys, "serve", "--help"), re.MULTILINE))
    rows = set(re.findall(r"^\| `(--[a-z-]+)", PAGE.read_text(), re.MULTILINE))
    assert len(options) >= 9
    assert rows == options


@pytest.mark.parametrize(
    "arguments",
    [
        ("--port", "65536"),
        ("--port", "x"),
        ("--port", "9" * 5000),
        ("--idle-timeout", "-1"),
        ("--idle-timeout", "nan"),
        ("--idle-timeout", "soon"),
        ("--components", "0"),
        ("--components", "many"),
        ("--nothing",),
    ],
)
def test_wrong_usage_is_an_error(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(("serve", "--state", "x", *arguments))
    assert ended.value.code == 2
    assert re.search(
        r"gcp-local( serve)?: error: .*(port|nothing|seconds|number)", capsys.readouterr().err
    )


def test_what_is_not_installed_is_told_with_the_extra_that_brings_it(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "gcp_local.web.serving", raising=False)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert main(("serve", "--state", str(tmp_path))) == 2
    said = capsys.readouterr().err
    assert said.startswith("gcp-local: there is no module 'uvicorn' here.")
    assert "[local]" in said
