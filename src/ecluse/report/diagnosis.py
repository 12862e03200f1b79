"""What the doctor found, on a terminal: a line for each thing, and what to type below it."""

from collections.abc import Iterable
from typing import Final

from rich.text import Text

from ecluse.upkeep.doctor.findings import Diagnosis, Finding, Verdict

_MARKS: Final[dict[Verdict, tuple[str, str]]] = {
    "ok": ("✓", "green"),
    "warning": ("!", "yellow"),
    "failed": ("✗", "red"),
    "unchecked": ("·", "dim"),
}
_NOT_FOR_HERE = "what gcloud mends is Google's cloud: it does not reach the embedded one"


def diagnosis_lines(diagnosis: Diagnosis) -> Iterable[Text]:
    """Yield the lines of a diagnosis: whole, since commands are there to be copied."""
    width = max((len(finding.need) for finding in diagnosis.findings), default=0)
    for finding in diagnosis.findings:
        yield from _lines(finding, width)
    yield Text()
    yield _summary(diagnosis)
    if diagnosis.local and any(finding.fix for finding in diagnosis.findings):
        yield Text(f"  {_NOT_FOR_HERE}", style="dim")


def _lines(finding: Finding, width: int) -> Iterable[Text]:
    mark, colour = _MARKS[finding.verdict]
    resource = f"  {finding.resource}" if finding.resource else ""
    yield Text.assemble(
        (f"  {mark} ", colour),
        (f"{finding.need:<{width}}", "bold" if finding.verdict == "failed" else ""),
        f"  {finding.said}",
        (resource, "dim"),
    )
    if finding.verdict in ("failed", "warning"):
        for line in finding.fix.splitlines():
            yield Text(f"      → {line}")


def _summary(diagnosis: Diagnosis) -> Text:
    failed, warnings = diagnosis.count("failed"), diagnosis.count("warning")
    marked = f"; {warnings} marked ! would be better mended" if warnings else ""
    if failed:
        things = "1 thing stands" if failed == 1 else f"{failed} things stand"
        return Text.assemble(
            ("  not ready", "red"),
            f": {things} in the way of a promotion to {diagnosis.environment}{marked}",
        )
    return Text.assemble(
        ("  ready", "green"), f" for a promotion to {diagnosis.environment}{marked}"
    )
