"""How many calls it costs where there is nothing to do: constant, and small."""

import json
import urllib.request
from collections import Counter
from collections.abc import Callable
from typing import Any

from tests.ecluse.conftest import Answer, Commands
from tests.ecluse.repositories import SETTINGS
from tests.ecluse.test_execution import endings

SCHEDULE = 'schedule: {cron: "0 6 * * 1", time_zone: Europe/Paris}\n'
TAG = "google.devtools.artifactregistry.v1.ArtifactRegistry.GetTag"
PIPELINES = ("alpha", "beta", "gamma", "delta")


def asked(address: str, verb: str) -> Any:
    request = urllib.request.Request(f"{address}/gcp-local/faults", method=verb)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read() or b"null")


def calls_of(address: str, command: Callable[[], Answer]) -> tuple[Answer, Counter[str]]:
    """Return what a command answers, and which calls it makes."""
    asked(address, "DELETE")
    answer = command()
    made = [
        call["method"] or f"{call['verb']} {call['path']}"
        for call in asked(address, "GET")["calls"]
    ]
    return answer, Counter(made)


def test_an_unchanged_pipeline_costs_one_call_and_a_plan_costs_none(
    ecluse: Commands, address: str
) -> None:
    for name in PIPELINES:
        ecluse.repository.pipeline(name, settings=SETTINGS + SCHEDULE)
    release = ("--release", str(ecluse.build()))
    first = ecluse.promote("nonprod", *release)
    assert set(endings(first).values()) == {"activated"}, first.err
    few, one = calls_of(address, lambda: ecluse.promote("nonprod", *release, "--pipeline", "alpha"))
    many, four = calls_of(address, lambda: ecluse.promote("nonprod", *release))
    assert set(endings(few).values()) | set(endings(many).values()) == {"unchanged"}
    assert four - one == {TAG: len(PIPELINES) - 1}
    assert not one - four
    assert one.total() <= 1 + 14
    _, plan_of_one = calls_of(
        address, lambda: ecluse("plan", "nonprod", *release, "--pipeline", "alpha")
    )
    _, plan_of_four = calls_of(address, lambda: ecluse("plan", "nonprod", *release))
    assert plan_of_four == plan_of_one
    head, laid_out = sorted(path.rsplit("/", 1)[1] for path in plan_of_one.elements())[::-1]
    assert (head, laid_out) == ("head.json", ".laid-out.json")  # the second on a laptop alone
