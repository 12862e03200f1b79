from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from churn import report

if TYPE_CHECKING:
    from pathlib import Path

    from churn.evaluation import Evaluation

MEASURE = """<!doctype html><body><script>
const frame = document.createElement("iframe");
frame.style = "border: 0; width: %dpx; height: 4000px";
frame.srcdoc = %s;
frame.onload = () => {
  const page = frame.contentDocument;
  const style = getComputedStyle(page.querySelector(".cards"));
  const columns = style.gridTemplateColumns.split(" ").length;
  document.body.textContent = `columns=${columns} wide=${page.documentElement.scrollWidth}`;
};
document.body.append(frame);
</script></body>"""
"""Shows a page at a width, and says how many columns of plots there are and how wide it gets."""


@pytest.mark.parametrize(("width", "columns"), [(360, 1), (720, 2), (900, 2), (1400, 2)])
def test_the_page_fits_where_it_is_shown(
    evaluated: Evaluation, tmp_path: Path, width: int, columns: int
) -> None:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("needs chromium")
    page = json.dumps(report.render(evaluated)).replace("</", "<\\/")
    (tmp_path / "measure.html").write_text(MEASURE % (width, page))
    shown = subprocess.run(
        [
            *(chromium, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"),
            *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
            *(f"--user-data-dir={tmp_path / 'profile'}", "--window-size=1600,1000"),
            *("--dump-dom", (tmp_path / "measure.html").as_uri()),
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert f"columns={columns} wide={width}" in shown.stdout


def test_the_page_shows_every_plot_and_needs_nothing_else(evaluated: Evaluation) -> None:
    page = report.render(evaluated, data="the generated sample")
    assert page.count("<svg") == 4
    for title in ("ROC curve", "Calibration", "Confusion matrix", "What moves the prediction"):
        assert f"<h2>{title}</h2>" in page
    assert f"{evaluated.scores.roc_auc:.4f}" in page
    assert "<script" not in page
    loaded = re.findall(r"(?:src|href)=['\"](?!#)([^'\"]+)", page)
    assert loaded == []


def test_the_page_lists_every_slice(evaluated: Evaluation) -> None:
    page = report.render(evaluated)
    rows = re.findall(r"<tr><td>", page)
    assert len(rows) == len(evaluated.slices) + 1


def test_the_page_is_the_same_for_the_same_evaluation(evaluated: Evaluation) -> None:
    assert report.render(evaluated) == report.render(evaluated)


def test_names_cannot_break_the_page(evaluated: Evaluation) -> None:
    part = replace(evaluated.slices[0], value="<b>&")
    page = report.render(replace(evaluated, slices=(part,)), title="<script>")
    assert "<script>" not in page
    assert "&lt;b&gt;&amp;" in page


def test_plots_need_no_global_state() -> None:
    code = "import sys, churn.report; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
