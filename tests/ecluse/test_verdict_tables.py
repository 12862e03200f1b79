"""Verdicts as people see them: on a terminal, in Markdown, in HTML."""

import io

from rich.console import Console

from ecluse.cloud.run import Run
from ecluse.promotion.gates import Verdict
from ecluse.promotion.outcome import Outcome
from ecluse.report.html import Chapter, render
from ecluse.report.markdown import run_report
from ecluse.report.terminal import verdict_table

VERDICTS = (
    Verdict("e.auc", "at least 0.96", passed=False, value=0.95999, limit=0.96),
    Verdict(
        "e.auc",
        "better than the champion",
        passed=False,
        value=0.97,
        limit=0.98,
        champion=0.98,
        severity="warning",
    ),
    Verdict("cost of run", "costs at most 3.5 EUR", passed=True, value=1, limit=3.5, unit="EUR"),
    Verdict("e.<b>x</b>|[red]", "`rule` <i>", passed=True, note="[/] <script>"),
)
RUN = Run("projects/p/locations/l/pipelineJobs/r-1", "succeeded")


def test_a_terminal_shows_numbers_and_units_and_marks_only_warnings() -> None:
    console = Console(width=140, record=True, file=io.StringIO())
    console.print(verdict_table(VERDICTS))
    header, refused, warned, passed, hostile = console.export_text().splitlines()
    assert header.split() == ["gate", "value", "limit", "champion", "rule"]
    assert " ".join(refused.split()) == "✗ e.auc 0.95999 0.96000 at least 0.96"
    assert warned.split()[:5] == ["!", "e.auc", "0.9700", "0.9800", "0.9800"]
    assert warned.rstrip().endswith("better than the champion · only a warning")
    assert "1.00 EUR  3.50 EUR" in passed
    assert "e.<b>x</b>|[red]" in hostile
    assert hostile.rstrip().endswith("([/] <script>)")


def test_markdown_shows_numbers_units_and_severity_and_no_markup() -> None:
    lines = [line for line in run_report("p", RUN, VERDICTS).splitlines() if line[:2] == "| "]
    assert lines[0] == "|  | gate | rule | value | limit | champion | severity |"
    assert lines[2].startswith("| ⛔ | ")
    assert lines[2].endswith("| at least 0.96 | 0.95999 | 0.96000 |  | blocker |")
    assert lines[3].startswith("| ⚠️ | ")
    assert lines[3].endswith("| 0.9700 | 0.9800 | 0.9800 | warning |")
    assert lines[4].endswith("| 1.00 EUR | 3.50 EUR |  | blocker |")
    assert "<b>" not in lines[5]
    assert "<script>" not in lines[5]


def test_html_shows_numbers_units_and_severity_and_no_markup() -> None:
    outcome = Outcome("p", "refused", None, None, RUN, VERDICTS)
    page = render([Chapter("A merge", "c", "nonprod", (outcome,))], [], source="tests")
    assert '<td class="bad">refused</td>' in page
    assert '<td class="wait">warned</td>' in page
    assert '<td class="n">0.95999</td>' in page
    assert '<td class="n">1.00 EUR</td>' in page
    assert '<td class="soft">warning</td>' in page
    assert "<script>" not in page
