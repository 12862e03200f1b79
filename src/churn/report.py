"""An evaluation as one self-contained HTML page with plots: no scripts, no other files."""

from __future__ import annotations

import io
from html import escape
from typing import TYPE_CHECKING, Any, Final

import matplotlib as mpl
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.axes import Axes

    from churn.evaluation import Evaluation, Scores

_BLUE: Final = "#1f5fa8"
_PALE: Final = "#b9c6d6"
_INK: Final = "#22303f"
_SHOWN_FEATURES: Final = 12
_STYLE: Final[dict[Any, Any]] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "churn",
    "font.family": "sans-serif",
    "font.size": 9,
    "text.color": _INK,
    "axes.labelcolor": _INK,
    "axes.edgecolor": "#8a97a6",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": _INK,
    "ytick.color": _INK,
}

_CSS: Final = """
body { font: 15px/1.5 system-ui, sans-serif; color: #22303f; background: #f4f6f9; margin: 0; }
main { max-width: 1060px; margin: 0 auto; padding: 28px 20px 48px; }
h1 { font-size: 24px; margin: 0 0 2px; } h2 { font-size: 16px; margin: 0 0 6px; }
p { margin: 0 0 12px; } .quiet { color: #5b6b7d; font-size: 13px; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(118px, 1fr)); gap: 10px;
  margin: 18px 0; }
.tile, .card { background: #fff; border: 1px solid #dde3ea; border-radius: 8px; }
.tile { padding: 10px 14px; } .tile b { display: block; font-size: 21px; }
.tile span { color: #5b6b7d; font-size: 12px; }
.cards { display: grid; gap: 14px;
  grid-template-columns: repeat(auto-fit, minmax(min(max(330px, 40%), 100%), 1fr)); }
.card { padding: 16px 18px; min-width: 0; } .card.wide { grid-column: 1 / -1; }
svg { width: 100%; height: auto; } svg text { font-family: system-ui, sans-serif !important; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 13px; }
th, td { text-align: right; padding: 4px 8px; border-bottom: 1px solid #e8ecf1; }
th { color: #5b6b7d; font-weight: 600; } td { font-variant-numeric: tabular-nums; }
th:first-child, td:first-child, th:nth-child(2), td:nth-child(2) { text-align: left; }
"""


def render(evaluation: Evaluation, *, title: str = "Churn model", data: str = "") -> str:
    """Return the page, as HTML text. `data` says in a few words what the customers are."""
    scores = evaluation.scores
    tiles = {
        "ROC AUC": f"{scores.roc_auc:.4f}",
        "PR AUC": f"{scores.pr_auc:.4f}",
        "F1": f"{scores.f1:.3f}",
        "Precision": f"{scores.precision:.1%}",
        "Recall": f"{scores.recall:.1%}",
        "Log loss": f"{scores.log_loss:.4f}",
        "Brier score": f"{scores.brier:.4f}",
        "Calibration error": f"{evaluation.calibration_error:.4f}",
    }
    cards = [
        _card("ROC curve", _svg(lambda axes: _roc(axes, evaluation))),
        _card("Calibration", _svg(lambda axes: _calibration(axes, evaluation))),
        _card("Confusion matrix", _svg(lambda axes: _confusion(axes, evaluation))),
        _card("What moves the prediction", _svg(lambda axes: _importance(axes, evaluation))),
        _card("Slice by slice", _slices(evaluation), wide=True),
    ]
    about = (
        f"{scores.rows:,} held-out customers{f' of {data}' if data else ''}, "
        f"{scores.attrited_share:.1%} of whom left. Decision threshold {evaluation.threshold:g}."
    )
    return (
        "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>{escape(title)}</title><style>{_CSS}</style></head><body><main>"
        f"<h1>{escape(title)}</h1><p class='quiet'>{escape(about)}</p>"
        f"<div class='tiles'>{''.join(_tile(*item) for item in tiles.items())}</div>"
        f"<div class='cards'>{''.join(cards)}</div></main></body></html>\n"
    )


def _tile(name: str, value: str) -> str:
    return f"<div class='tile'><b>{escape(value)}</b><span>{escape(name)}</span></div>"


def _card(title: str, body: str, *, wide: bool = False) -> str:
    css = "card wide" if wide else "card"
    return f"<section class='{css}'><h2>{escape(title)}</h2>{body}</section>"


def _svg(draw: Callable[[Axes], None]) -> str:
    """Draw one plot as an SVG element; the same bytes for the same data."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(4.9, 3.5), layout="constrained")
        draw(figure.subplots())
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def _roc(axes: Axes, evaluation: Evaluation) -> None:
    points = evaluation.roc_curve
    axes.plot([0, 1], [0, 1], color=_PALE, linestyle="--", linewidth=1)
    axes.plot(points.false_positive_rate, points.true_positive_rate, color=_BLUE, linewidth=2)
    axes.fill_between(
        points.false_positive_rate, points.true_positive_rate, color=_BLUE, alpha=0.08
    )
    axes.set(xlabel="False positive rate", ylabel="True positive rate", xlim=(0, 1), ylim=(0, 1.02))
    axes.annotate(
        f"area {evaluation.scores.roc_auc:.4f}", (0.97, 0.06), ha="right", color=_BLUE, fontsize=11
    )


def _calibration(axes: Axes, evaluation: Evaluation) -> None:
    bins = evaluation.calibration
    axes.plot([0, 1], [0, 1], color=_PALE, linestyle="--", linewidth=1)
    axes.plot([b.predicted for b in bins], [b.observed for b in bins], color=_BLUE, linewidth=1)
    axes.scatter(
        [b.predicted for b in bins],
        [b.observed for b in bins],
        s=[20 + 180 * b.rows / evaluation.scores.rows for b in bins],
        color=_BLUE,
        zorder=3,
    )
    axes.set(
        xlabel="Predicted probability of leaving (dot size: customers)",
        ylabel="Share that left",
        xlim=(-0.02, 1.02),
        ylim=(-0.02, 1.05),
    )


def _confusion(axes: Axes, evaluation: Evaluation) -> None:
    counts = evaluation.confusion
    for row, cells in enumerate(counts):
        for column, cell in enumerate(cells):
            share = cell / max(sum(cells), 1)
            axes.text(
                column + 0.5,
                row + 0.5,
                f"{cell:,}\n{share:.1%}",
                ha="center",
                va="center",
                fontsize=12,
                color="white" if share > 0.5 else _INK,
            )
    shares = [[cell / max(sum(cells), 1) for cell in cells] for cells in counts]
    axes.pcolormesh(shares, cmap="Blues", vmin=0, vmax=1.1, edgecolor="white", linewidth=3)
    axes.invert_yaxis()
    labels = [name.replace(" ", "\n") for name in evaluation.class_names]
    axes.set_xticks([0.5, 1.5], labels)
    axes.set_yticks([0.5, 1.5], labels)
    axes.set(xlabel="Predicted", ylabel="True")
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)


def _importance(axes: Axes, evaluation: Evaluation) -> None:
    ranked = list(evaluation.importance.items())[:_SHOWN_FEATURES][::-1]
    axes.barh([name.replace("_", " ") for name, _ in ranked], [v for _, v in ranked], color=_BLUE)
    axes.set(xlabel="Mean absolute SHAP value (log-odds)")
    axes.tick_params(axis="y", length=0)


def _slices(evaluation: Evaluation) -> str:
    whole = evaluation.scores
    rows = [("All", "", whole)] + [(s.column, s.value, s.scores) for s in evaluation.slices]
    head = ("", "", "Customers", "Left", "ROC AUC", "Precision", "Recall", "F1", "Log loss")
    body = "".join(
        f"<tr><td>{escape(column.replace('_', ' '))}</td><td>{escape(value.replace('_', ' '))}</td>"
        + "".join(f"<td>{cell}</td>" for cell in _cells(scores))
        + "</tr>"
        for column, value, scores in rows
    )
    table = f"<table><tr>{''.join(f'<th>{name}</th>' for name in head)}</tr>{body}</table>"
    return f"<div class='scroll'>{table}</div>"


def _cells(scores: Scores) -> tuple[str, ...]:
    return (
        f"{scores.rows:,}",
        f"{scores.attrited_share:.1%}",
        f"{scores.roc_auc:.4f}",
        f"{scores.precision:.1%}",
        f"{scores.recall:.1%}",
        f"{scores.f1:.3f}",
        f"{scores.log_loss:.4f}",
    )
