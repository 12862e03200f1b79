from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from churn import report

if TYPE_CHECKING:
    from churn.evaluation import Evaluation


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
