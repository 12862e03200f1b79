"""Gates: whether a finished run's pipeline may go live.

    findings    what is known of a finished run: metrics, durations, costs
    cost        what the run is estimated to have cost
    rules       a gate's rule in words
    judging     pure: gates and findings → verdicts
    measurement verdicts on metrics and on fresh data
    spending    verdicts on durations and costs
    custom      a team's own rules in Python
    verdict     what a gate said

A metric is called `task.name`, as the compiled pipeline names the task and the task's Metrics
artifact names the value. The champion's metrics are those of the run that qualified what is live.
Whoever writes a gate in Python needs `Context` and `Verdict` from here, and nothing else.
"""

from ecluse.promotion.gates.custom import Context
from ecluse.promotion.gates.findings import Findings, Metrics, TaskOutcome, findings_of
from ecluse.promotion.gates.judging import judge, require_judges, unreached
from ecluse.promotion.gates.rules import rule_of
from ecluse.promotion.gates.verdict import Verdict, refusal, refusing

__all__ = [
    "Context",
    "Findings",
    "Metrics",
    "TaskOutcome",
    "Verdict",
    "findings_of",
    "judge",
    "refusal",
    "refusing",
    "require_judges",
    "rule_of",
    "unreached",
]
