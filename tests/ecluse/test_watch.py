"""The watch: the first run by schedule is seen, noted once, and rolled back from once."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from ecluse.cloud import Cloud
from ecluse.cloud.run import Run
from ecluse.cloud.schedules import FoundSchedule
from ecluse.errors import LeaseHeld
from ecluse.ledger.alone import alone
from ecluse.ledger.records import Entry
from ecluse.ledger.watched import Watched, note
from ecluse.promotion.fallback import Seen, only_look, settle
from ecluse.report.watch import watch_report
from ecluse.upkeep.watch import Sight, first_run, judged
from gcp_local.testing import LocalCloud
from tests.ecluse.conftest import Answer, Commands
from tests.ecluse.places import Place
from tests.ecluse.repositories import Repository
from tests.ecluse.test_drift import delete_template
from tests.ecluse.test_promotion import cloud_of

PIPELINE = "pipelines/alpha/pipeline.yaml"
SCHEDULE = "schedule: {cron: '0 6 * * 1', time_zone: Europe/Paris}"
BY_SCHEDULE = '    if run_key.startswith("schedule-"):'
BY_HAND = "    if fail:"
HOUR = datetime(2027, 1, 4, 6, tzinfo=UTC)
DIGEST = "sha256:" + "1" * 64


# What is said, from values alone


def run(**values: Any) -> Run:
    known: dict[str, Any] = {"state": "succeeded", "schedule": "schedules/1", "template": DIGEST}
    return Run(**{"name": "runs/a", "created": HOUR, "ended": HOUR, **known, **values})


@pytest.mark.parametrize(
    ("runs", "first"),
    [
        ([], None),
        ([run(name="by-hand", schedule="")], None),
        ([run(name="by-hand", schedule=""), run(name="a"), run(name="b")], "a"),
        ([run(name="stopped", state="cancelled"), run(name="b", state="failed")], "b"),
        ([run(name="stopped", state="cancelled")], None),
        ([run(name="other bytes", template="sha256:2")], None),
        ([run(name="not begun", template="", state="pending"), run(name="b")], "not begun"),
    ],
)
def test_the_first_run_by_schedule_counts(runs: list[Run], first: str | None) -> None:
    found = first_run(runs, DIGEST)
    assert (found.name if found else None) == first


def sight(**values: Any) -> Sight:
    live = Entry.model_construct(
        sequence=2, digest=DIGEST, at=HOUR, restores=values.pop("restores", None)
    )
    return Sight("alpha", live, values.pop("state", "waits"), **values)


def schedule(**values: Any) -> FoundSchedule:
    known = {"state": "active", "created": HOUR, "settings": {}, "lasting": {}}
    more = {"specification": None, "next_run": HOUR + timedelta(days=7)}
    return FoundSchedule(**{"name": "s", "display_name": "s", **known, **more, **values})


@pytest.mark.parametrize(
    ("found", "schedules", "state", "words"),
    [
        (None, [schedule()], "waits", ""),
        (None, [], "off", "it has no schedule"),
        (None, [schedule(state="paused")], "off", "its schedule is paused"),
        (
            None,
            [schedule(fired=HOUR + timedelta(days=1), not_started="NOT_FOUND: the template")],
            "not started",
            "NOT_FOUND: the template",
        ),
        (None, [schedule(fired=HOUR - timedelta(days=1), not_started="X")], "waits", ""),
        (run(state="running", ended=None), [], "runs", "since 2027-01-04T06:00:00Z"),
        (run(state="pending", ended=None), [], "runs", "since 2027-01-04T06:00:00Z"),
        (run(), [], "succeeded", ""),
        (run(state="failed", error="no such table"), [], "failed", ""),
    ],
)
def test_each_state_has_its_word(
    found: Run | None, schedules: list[FoundSchedule], state: str, words: str
) -> None:
    seen = judged(sight(), found, schedules)
    assert (seen.state, seen.words) == (state, words)
    assert seen.is_bad == (state in ("off", "not started", "failed"))
    assert (seen.watched is not None) == (state in ("succeeded", "failed"))
    assert seen.next_run == (
        HOUR + timedelta(days=7) if state in ("waits", "not started") else None
    )


@pytest.mark.parametrize(
    ("values", "command"),
    [
        ({"state": "succeeded"}, ""),
        ({"state": "waits"}, ""),
        ({"state": "off"}, "ecluse drift prod --repair"),
        ({"state": "not started"}, "ecluse doctor prod"),
        ({"state": "failed"}, "ecluse rollback prod alpha"),
        ({"state": "failed", "rollback": True}, "ecluse watch prod --act"),
        # It went back once by itself: further back only somebody goes.
        (
            {"state": "failed", "rollback": True, "restores": 1},
            "ecluse rollback prod alpha --to RELEASE",
        ),
    ],
)
def test_whatever_is_wrong_has_a_command_to_type(values: dict[str, Any], command: str) -> None:
    assert Seen(sight(**values)).next("prod") == command


def test_what_could_not_be_done_comes_with_its_own_way_out() -> None:
    error = LeaseHeld("bob holds the lease", fix="wait for it with --wait 30m")
    for state in ("failed", "waits"):
        assert Seen(sight(state=state), error=error).next("prod") == "wait for it with --wait 30m"


def test_what_a_task_said_stays_a_text_in_the_summary() -> None:
    failed = Watched(
        pipeline="alpha", sequence=2, digest=DIGEST, run="runs/a", state="failed", ended=HOUR,
        failure="<b>| @ann https://example.com",
    )  # fmt: skip
    report = watch_report([Seen(sight(state="failed", watched=failed))], "prod")
    for markup in ("<b>", "| @", "https://"):
        assert markup not in report


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("watch:\n", "`watch`: it says nothing: write `watch: {}`, or `watch: {rollback: true}`"),
        ("watch: {rolback: true}\n", "did you mean `rollback`?"),
        ("watch: {}\n", "`watch` looks after runs by schedule: it needs a `schedule`"),
        ("environments: {prod: {watch: {}}}\n", "`watch` in prod needs a `schedule`"),
    ],
)
def test_a_watch_that_could_never_see_anything_is_refused(
    ecluse: Commands, written: str, said: str
) -> None:
    ecluse.repository.replace(PIPELINE, "gates:", f"{written}gates:")
    answer = ecluse("check")
    assert answer.code == 2
    assert said in answer.err


# In an embedded cloud whose clock is set forward


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    with LocalCloud(tmp_path_factory.mktemp("watch")) as cloud:
        yield cloud


@dataclass
class Weekly:
    """An environment where alpha is live on Mondays."""

    ecluse: Commands
    fresh: LocalCloud
    runs: int = 0

    @property
    def cloud(self) -> Cloud:
        return cloud_of(self.ecluse, "nonprod", self.fresh.endpoint)

    def release(self, version: str, watch: str, *, fails: bool = False) -> None:
        """Promote another alpha, which may fail whenever its schedule starts it."""
        repository = self.ecluse.repository
        settings = (repository.root / PIPELINE).read_text().split("schedule:")[0]
        repository.write(PIPELINE, f"{settings}{SCHEDULE}\n{watch}\n")
        code = repository.root / "pipelines/components/measure.py"
        text = code.read_text().replace(BY_SCHEDULE, BY_HAND)
        text = text.replace(BY_HAND, f"    print({version!r})\n{BY_SCHEDULE if fails else BY_HAND}")
        code.write_text(text)
        release = str(self.ecluse.build())
        promoted = self.ecluse.promote("nonprod", "--release", release, "--version", version)
        assert promoted.code == 0, promoted.err

    def week(self) -> None:
        """Let a week pass, in which the schedule fires once, and its run ends."""
        self.runs += 1
        self.fresh.clock.advance(timedelta(days=7))
        for _ in range(1500):
            runs = [found for found in self.cloud.pipelines.list() if found.schedule]
            if len(runs) == self.runs and all(found.finished for found in runs):
                return
            time.sleep(0.02)
        raise AssertionError(f"{len(runs)} runs, not {self.runs}")

    def watch(self, *arguments: str) -> Answer:
        return self.ecluse("watch", "nonprod", "--json", *arguments)

    def seen(self, *arguments: str, code: int) -> dict[str, Any]:
        """Watch, and return what is said of the one pipeline."""
        answer = self.watch(*arguments)
        assert answer.code == code, answer.out + answer.err
        (pipeline,) = answer.json["pipelines"]
        return dict(pipeline)

    def history(self) -> list[Entry]:
        return list(self.cloud.ledger.history("alpha"))


@pytest.fixture
def weekly(
    repository: Repository, fresh: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Weekly]:
    monkeypatch.setenv("ECLUSE_LOCAL", fresh.endpoint)
    monkeypatch.setenv("ECLUSE_ACTOR", "ann@example.com")
    made = Weekly(Commands(repository), fresh)
    yield made
    fresh.faults.clear()
    # The clock of the next test is not to start runs of this one.
    for each in made.cloud.schedules.list():
        made.cloud.schedules.delete(each.name)


def test_a_run_that_succeeds_is_noted_once_and_costs_nothing_the_next_night(
    weekly: Weekly, tmp_path: Path
) -> None:
    weekly.release("v1", "watch: {}")
    waits = weekly.seen("--act", code=0)
    assert waits["state"] == "waits"
    assert waits["next_run"] > waits["next_run"][:4]
    weekly.week()
    assert weekly.seen(code=0)["state"] == "succeeded"
    notes = f"{weekly.cloud.environment.ledger}/watched/"
    assert weekly.cloud.storage.list(notes) == [], "whoever only looks writes nothing"
    seen = weekly.seen("--act", code=0)
    assert (seen["state"], seen["sequence"]) == ("succeeded", 1)
    assert weekly.cloud.storage.list(notes) == [f"{notes}alpha/000001.json"]

    weekly.fresh.faults.clear()
    summary = tmp_path / "summary.md"
    assert weekly.seen("--act", "--markdown", str(summary), code=0) == seen
    assert [call for call in weekly.fresh.faults.calls if "pipelineJobs" in str(call)] == []
    assert "| alpha | ✅ succeeded " in summary.read_text()


def test_a_failure_with_nothing_to_go_back_to_is_told_each_night_until_somebody_acts(
    weekly: Weekly,
) -> None:
    weekly.release("v1", "watch: {rollback: true}", fails=True)
    weekly.week()
    for _ in "ab":
        failed = weekly.seen("--act", code=1)
        assert failed["state"] == "failed"
        assert failed["failure"].startswith("task `measure` failed: ")
        assert "ValueError: the data smell" in failed["failure"]
        assert "nothing else was live in nonprod before" in failed["error"]["what"]
        assert "ecluse history nonprod alpha" in failed["next"]
    assert len(weekly.history()) == 1
    weekly.release("v2", "watch: {}")
    assert weekly.seen("--act", code=0)["state"] == "waits"


def test_what_failed_goes_back_once_and_no_further_by_itself(weekly: Weekly) -> None:
    weekly.release("v1", "watch: {}", fails=True)
    weekly.release("v2", "watch: {rollback: true}", fails=True)
    weekly.week()
    looked = weekly.seen(code=1)
    assert (looked["state"], looked["next"]) == ("failed", "ecluse watch nonprod --act")
    assert len(weekly.history()) == 2, "whoever only looks changes nothing"

    acted = weekly.seen("--act", code=1)
    assert acted["done"].startswith("rolled back: v1 ")
    now, bad, good = weekly.history()
    assert (now.action, now.digest, now.restores) == ("rollback", good.digest, 1)
    run_id = acted["run"].rsplit("/", 1)[-1]
    assert now.reason == f"its first run by schedule failed: {run_id}"
    assert now.digest != bad.digest
    assert weekly.ecluse("drift", "nonprod").code == 0, "schedule and tag went back, too"

    for _ in "ab":
        second = weekly.seen("--act", code=0)
        assert (second["state"], second["sequence"], second["done"]) == ("waits", 3, "")
        assert second["came_back_from"]["run"] == acted["run"], "it stays visible"
    weekly.week()
    again = weekly.seen("--act", code=1)
    assert (again["state"], again["done"]) == ("failed", "")
    assert again["next"] == "ecluse rollback nonprod alpha --to RELEASE"
    assert len(weekly.history()) == 3


def failed_note(weekly: Weekly) -> None:
    """Note that what is live failed, as if it had run."""
    (entry, *_) = weekly.history()
    note(
        weekly.cloud,
        Watched(
            pipeline="alpha",
            sequence=entry.sequence,
            digest=entry.digest,
            run="runs/bad",
            state="failed",
            ended=entry.at,
            failure="the data smell",
        ),
    )


def test_a_rollback_waits_for_whoever_is_at_work_and_leaves_alone_what_they_changed(
    weekly: Weekly,
) -> None:
    weekly.release("v1", "watch: {}")
    weekly.release("v2", "watch: {rollback: true}")
    failed_note(weekly)
    with ExitStack() as bob:
        bob.enter_context(alone(weekly.cloud, by="bob", purpose="promotes v3"))
        held = weekly.seen("--act", code=1)
        assert "bob holds the lease" in held["error"]["what"]
        assert len(weekly.history()) == 2

        def then_bob_promotes(_: object) -> None:
            bob.close()
            weekly.release("v3", "watch: {rollback: true}")

        minute = timedelta(minutes=1)
        (seen,) = settle(weekly.cloud, Silent(), by="ann", wait=minute, waiting=then_bob_promotes)
    assert seen.done == "was changed meanwhile, and is left as it is"
    assert [entry.version for entry in weekly.history()] == ["v3", "v2", "v1"]


def test_a_schedule_that_was_paused_or_could_not_start_its_run_is_told(weekly: Weekly) -> None:
    weekly.release("v1", "watch: {rollback: true}")
    cloud = weekly.cloud
    place = Place(cloud, weekly.fresh.endpoint, cloud.ledger.head())
    (found,) = cloud.schedules.list()
    cloud.schedules.pause(found.name)
    off = weekly.seen("--act", code=1)
    assert (off["state"], off["next"]) == ("off", "ecluse drift nonprod --repair")
    cloud.schedules.resume(found.name)
    delete_template(place, "alpha", place.head.pipelines["alpha"].digest)
    weekly.fresh.clock.advance(timedelta(days=7))
    stuck = poll(lambda: weekly.seen(code=weekly.watch().code), "not started")
    assert "NOT_FOUND" in stuck["words"]
    assert stuck["next"] == "ecluse doctor nonprod"
    assert len(weekly.history()) == 1, "nothing ran, so nothing failed"


def poll(look: Callable[[], dict[str, Any]], state: str) -> dict[str, Any]:
    for _ in range(500):
        seen = look()
        if seen["state"] == state:
            return seen
        time.sleep(0.02)
    raise AssertionError(seen)


# Ended anywhere


class Silent:
    """Takes what it is told."""

    def step(self, pipeline: str, text: str) -> None: ...
    def running(self, pipeline: str, run: Run) -> None: ...
    def judged(self, pipeline: str, verdicts: object) -> None: ...


class Killed(BaseException):
    """What the process would not even notice."""


@dataclass
class Line:
    """The line to the cloud, cut at a request: before it arrives, or before its answer does.

    What was killed says nothing any more: every request after that one fails as well.
    """

    monkeypatch: pytest.MonkeyPatch
    asked: int = 0
    last: int = 10**9
    after: bool = False
    send: Any = field(default=requests.adapters.HTTPAdapter.send)

    def __post_init__(self) -> None:
        line = self

        def send(adapter: Any, *arguments: Any, **more: Any) -> Any:
            line.asked += 1
            if line.asked > line.last or (line.asked == line.last and not line.after):
                raise Killed
            answer = line.send(adapter, *arguments, **more)
            if line.asked >= line.last:
                raise Killed
            return answer

        self.monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", send)

    def cut(self, at: int, *, after: bool) -> None:
        self.asked, self.last, self.after = 0, at, after

    def mended(self) -> None:
        self.last = 10**9


def test_killed_at_any_request_and_again_it_goes_back_once(
    weekly: Weekly, monkeypatch: pytest.MonkeyPatch
) -> None:
    weekly.release("v1", "")  # asks for no watch: what came back is finished all the same
    weekly.release("v2", "watch: {rollback: true}")
    failed_note(weekly)
    cloud = weekly.cloud
    line = Line(monkeypatch)
    kills, at, after, nonce = 0, 1, False, cloud.ledger.head().nonce
    while True:
        line.cut(at, after=after)
        try:
            settle(cloud, Silent(), by="ann")
        except Killed:
            kills += 1
        else:
            break
        finally:
            line.mended()
        # Its process is gone, which whoever comes next would see.
        cloud.storage.delete(f"{cloud.environment.ledger}/lease.json")
        head = cloud.ledger.head()
        assert [entry.sequence for entry in weekly.history()] in ([2, 1], [3, 2, 1])
        at, after = (at + 1, False) if after else (at, True)
        if head.fence and len(weekly.history()) == 3 and nonce != "gone back":
            at, after, nonce = 1, False, "gone back"
    print(f"{kills} kill points")  # noqa: T201
    assert kills > 30
    assert nonce == "gone back"
    now, _, good = weekly.history()
    assert (now.action, now.digest, now.restores) == ("rollback", good.digest, 1)
    assert weekly.ecluse("drift", "nonprod").code == 0
    (last,) = only_look(cloud)
    assert (last.sight.state, last.sight.is_bad) == ("not watched", False)
