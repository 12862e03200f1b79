"""Markdown for GitHub's job summaries and pull requests."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from ecluse import clock
from ecluse.canonical import short
from ecluse.cloud.run import Run
from ecluse.promotion.gates import Verdict
from ecluse.promotion.outcome import Outcome
from ecluse.promotion.plan import Plan
from ecluse.report.markup import code as _code
from ecluse.report.markup import table as _table
from ecluse.report.markup import text as _text
from ecluse.report.terminal import because

if TYPE_CHECKING:
    from ecluse.upkeep.convergence.converging import Mended
    from ecluse.upkeep.drift import Drift
    from ecluse.upkeep.history import HistoryRow
    from ecluse.upkeep.status import Status

_SIGNS = {
    "activated": "✅",
    "unchanged": "➖",
    "retired": "🗄️",
    "running": "⏳",
    "held back": "⏸️",
    "refused": "⛔",
    "failed": "❌",
}


def promotion_report(outcomes: Sequence[Outcome], *, environment: str, commit: str) -> str:
    """Return what a promotion did: a table, and for each run its gates and tasks."""
    parts = [
        f"## Promotion to {_text(environment)}\n\nCommit {_code(commit[:12])}\n",
        _table(
            ("pipeline", "outcome", "live digest", "run"),
            (
                (
                    _text(outcome.pipeline),
                    f"{_SIGNS[outcome.ending]} {outcome.ending}",
                    _code(short(outcome.digest)) if outcome.digest else "",
                    _code(outcome.run.id) if outcome.run else "",
                )
                for outcome in outcomes
            ),
        ),
    ]
    for outcome in outcomes:
        if outcome.error is not None:
            complaint = str(outcome.error).removeprefix(f"{outcome.pipeline}: ")
            parts.append(f"> ⛔ **{_text(outcome.pipeline)}**: {_text(complaint)}\n")
        parts += [
            f"> 🚨 **{_text(outcome.pipeline)}: {_text(exception)}**\n"
            for exception in outcome.exceptions
        ]
        if outcome.run is not None:
            parts.append(run_report(outcome.pipeline, outcome.run, outcome.verdicts))
    return "\n".join(parts)


def run_report(pipeline: str, run: Run, verdicts: Iterable[Verdict]) -> str:
    """Return one run's gates and tasks."""
    took = f" in {clock.duration(run.elapsed)}" if run.elapsed is not None else ""
    verdicts = tuple(verdicts)
    gates = _table(
        ("", "gate", "rule", "value", "limit", "champion", "severity"),
        (
            (
                _verdict_sign(verdict),
                _code(verdict.metric),
                _text(verdict.rule + (f" ({verdict.note})" if verdict.note else "")),
                *(_text(number) for number in verdict.numbers),
                verdict.severity,
            )
            for verdict in verdicts
        ),
    )
    tasks = _table(
        ("task", "state", "took"),
        (
            (_text(task.name), task.state, clock.duration(task.elapsed) if task.elapsed else "")
            for task in run.steps
        ),
    )
    return (
        f"### {_text(pipeline)}: {run.state}{took}\n\n{gates if verdicts else ''}\n"
        f"<details><summary>Tasks</summary>\n\n{tasks}\n</details>\n"
    )


def _verdict_sign(verdict: Verdict) -> str:
    if verdict.passed:
        return "✅"
    return "⚠️" if verdict.warns else "⛔"


def plan_report(plan: Plan, notes: Sequence[str] = ()) -> str:
    """Return what a promotion would do."""
    rows = (
        (
            _text(action.pipeline),
            action.kind,
            _text(because(action)),
            _code(short(action.live)) if action.live else "",
            _code(short(action.target)) if action.target else "",
        )
        for action in plan.actions
    )
    table = _table(("pipeline", "action", "because of", "live now", "would be"), rows)
    freeze = f"🚨 **{_text(f'{plan.environment} is {plan.freeze}')}**\n\n" if plan.freeze else ""
    said = "".join(f"\n\n{_text(text)}" for text in (*plan.mass_changes, *notes))
    said += "".join(
        f"\n\n> ⛔ A promotion would be refused: {_text(text)}" for text in plan.obstacles
    )
    heading = f"## Plan for {_text(plan.environment)}\n\nCommit {_code(plan.commit[:12])}"
    return f"{heading}\n\n{freeze}{table}{said}"


def status_report(statuses: "Sequence[Status]") -> str:
    """Return what is live where."""
    cells = (
        (
            _text(row.environment),
            _text(row.pipeline),
            _code(short(row.digest)) if row.digest else "retired",
            _text(row.version or ""),
            _code(row.commit[:9]),
            clock.rfc3339(row.since),
            f"{row.last_run.state} {_code(row.last_run.id)}" if row.last_run else "",
            clock.rfc3339(row.next_run) if row.next_run else "",
            "?" if row.drift is None else f"⚠️ {row.drift}" if row.drift else "none",
            _text(f"{row.by} (rollback)" if row.action == "rollback" else row.by),
        )
        for status in statuses
        for row in status.rows
    )
    columns = (
        *("environment", "pipeline", "live", "version", "commit", "since"),
        *("last run", "next run", "drift", "by"),
    )
    return f"## What is live\n\n{_table(columns, cells)}{''.join(_status_notes(statuses))}"


def _status_notes(statuses: "Iterable[Status]") -> Iterable[str]:
    for status in statuses:
        name = _text(status.environment)
        if status.error is not None:
            yield f"\n> ⛔ **{name}** could not be read: {_text(str(status.error))}\n"
        if status.unread is not None:
            unread = _text(str(status.unread))
            yield f"\n> ⚠️ {name}: runs and schedules could not be read: {unread}\n"
        if status.at_work:
            yield f"\n> ⏳ {name}: {_text(status.at_work)}\n"
        for row in status.rows:
            for exception in row.exceptions:
                yield f"\n> 🚨 **{name} {_text(row.pipeline)}**: {_text(exception)}\n"


def history_report(environment: str, pipeline: str, rows: "Iterable[HistoryRow]") -> str:
    """Return what was live of a pipeline; what was done past a check stands out."""
    cells = (
        (
            str(row.sequence),
            clock.rfc3339(row.at),
            row.action,
            _code(short(row.digest)) if row.digest else "",
            _text(row.version or ""),
            _code(row.commit[:9]),
            _text(row.by),
            said(row.reason, row.override, row.break_glass),
        )
        for row in rows
    )
    columns = ("#", "when", "what", "digest", "version", "commit", "by", "why")
    heading = f"## History of {_text(pipeline)} in {_text(environment)}"
    return f"{heading}\n\n{_table(columns, cells)}"


def drift_report(drift: "Drift") -> str:
    """Return what is not as the ledger says, and what became of it."""
    heading = f"## Drift in {_text(drift.environment)}"
    if not drift.found:
        return f"{heading}\n\n✅ Everything is as the ledger says.\n"
    cells = (
        (
            _text(each.difference.pipeline),
            _text(str(each.difference)),
            f"✅ {_text(each.done)}" if each.done else f"⚠️ {_said_next(drift, each)}",
        )
        for each in drift.found
    )
    return f"{heading}\n\n{_table(('pipeline', 'what', 'what became of it'), cells)}"


def _said_next(drift: "Drift", each: "Mended") -> str:
    error = f"{_text(each.error.what)}; " if each.error is not None else ""
    return f"{error}{_code(drift.advice(each))}"


def said(reason: str, override: str, break_glass: str) -> str:
    """Return what somebody said about an entry, the exceptions loudly."""
    parts = []
    if override:
        parts.append(f"⚠️ **override**: {_text(override)}")
    if break_glass:
        parts.append(f"🔨 **break-glass**: {_text(break_glass)}")
    if reason:
        parts.append(_text(reason))
    return "; ".join(parts)
