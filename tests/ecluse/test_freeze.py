"""Freeze windows: pure, and as a promotion meets them."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rich.console import Console

from ecluse import clock
from ecluse.cloud import connect
from ecluse.errors import Frozen
from ecluse.promotion import execution
from ecluse.promotion.freeze import window_at
from ecluse.promotion.order import Order
from ecluse.promotion.outcome import Outcome
from ecluse.promotion.plan import Plan
from ecluse.release.manifest import read_release
from ecluse.report.terminal import Board
from ecluse.repository.catalog import Catalog
from ecluse.repository.freeze_settings import Freeze
from tests.ecluse.conftest import Commands
from tests.ecluse.repositories import ENVIRONMENT, Repository

PARIS = {"time_zone": "Europe/Paris", "reason": "Nobody is there"}


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def ends(freeze: dict[str, str], at: str) -> str | None:
    window = window_at([Freeze.model_validate(freeze)], utc(at))
    return clock.rfc3339(window.ends) if window is not None else None


@pytest.mark.parametrize(
    ("weekly", "at", "until"),
    [
        # Paris is an hour ahead of UTC in winter, two in summer.
        ("Fri 16:00 - Mon 08:00", "2026-11-20T14:59:59", None),
        ("Fri 16:00 - Mon 08:00", "2026-11-20T15:00:00", "2026-11-23T07:00:00Z"),
        ("Fri 16:00 - Mon 08:00", "2026-11-23T06:59:59", "2026-11-23T07:00:00Z"),
        ("Fri 16:00 - Mon 08:00", "2026-11-23T07:00:00", None),
        ("Fri 16:00 - Mon 08:00", "2026-11-25T12:00:00", None),
        # The weekends on which the clocks go forward (29 March) and back (25 October).
        ("Fri 16:00 - Mon 08:00", "2026-03-27T15:00:00", "2026-03-30T06:00:00Z"),
        ("Fri 16:00 - Mon 08:00", "2026-10-23T14:00:00", "2026-10-26T07:00:00Z"),
        # 02:30 is there twice on 25 October: it ends at the second, and begins at the first.
        ("Sat 12:00 - Sun 02:30", "2026-10-25T01:29:59", "2026-10-25T01:30:00Z"),
        ("Sat 12:00 - Sun 02:30", "2026-10-25T01:30:00", None),
        ("Sun 02:30 - Sun 12:00", "2026-10-25T00:30:00", "2026-10-25T11:00:00Z"),
        # 02:30 is not there on 29 March.
        ("Sat 12:00 - Sun 02:30", "2026-03-29T01:29:59", "2026-03-29T01:30:00Z"),
        ("Sun 02:30 - Sun 12:00", "2026-03-29T00:30:00", "2026-03-29T10:00:00Z"),
        # Over the end of the week, within a day, and nearly a whole week.
        ("Sun 22:00 - Mon 02:00", "2026-11-22T23:30:00", "2026-11-23T01:00:00Z"),
        ("Wed 09:00 - Wed 10:00", "2026-11-25T08:30:00", "2026-11-25T09:00:00Z"),
        ("Wed 09:00 - Wed 10:00", "2026-11-25T09:00:00", None),
        ("Wed 10:00 - Wed 09:00", "2026-11-25T07:59:59", "2026-11-25T08:00:00Z"),
        ("Wed 10:00 - Wed 09:00", "2026-11-25T08:30:00", None),
        ("Wed 10:00 - Wed 09:00", "2026-11-25T09:00:00", "2026-12-02T08:00:00Z"),
    ],
)
def test_a_weekly_freeze_goes_by_the_clock_on_the_wall(
    weekly: str, at: str, until: str | None
) -> None:
    assert ends({"weekly": weekly, **PARIS}, at) == until


def test_a_freeze_holds_from_its_first_moment_to_before_its_last() -> None:
    freeze = {"from": "2026-12-20T18:00:00+01:00", "until": "2027-01-04T08:00:00Z", "reason": "x"}
    assert ends(freeze, "2026-12-20T16:59:59") is None
    assert ends(freeze, "2026-12-20T17:00:00") == "2027-01-04T08:00:00Z"
    assert ends(freeze, "2027-01-04T08:00:00") is None


def test_of_several_freezes_the_one_that_ends_last_is_told() -> None:
    freezes = [
        Freeze.model_validate({"weekly": "Fri 16:00 - Mon 08:00", **PARIS}),
        Freeze.model_validate(
            {"from": "2026-11-20T00:00:00Z", "until": "2026-12-01T00:00:00Z", "reason": "Audit"}
        ),
    ]
    window = window_at(freezes, utc("2026-11-21T12:00:00"))
    assert window is not None
    assert window.words == "frozen until 2026-12-01T00:00:00Z: Audit"


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("{from: 2026-12-20, until: 2026-12-21T00:00:00Z, reason: x}", "`2026-12-20` is no moment"),
        ("{from: 2026-12-20T10:00:00, until: 2026-12-21T00:00:00Z, reason: x}", "is no moment"),
        ("{from: soon, until: 2026-12-21T00:00:00Z, reason: x}", "`soon` is no moment"),
        ("{from: 2026-12-20T10:00:00Z, reason: x}", "has `from` and `until`, or `weekly`"),
        (
            "{from: 2026-12-20T10:00:00Z, until: 2026-12-20T10:00:00Z, reason: x}",
            "`until` is not after `from`",
        ),
        ("{weekly: Fri 16:00 - Mon 24:00, reason: x}", "is no part of a week"),
        ("{weekly: Fri 16:00 - Fri 16:00, reason: x}", "ends when it begins"),
        ("{weekly: Fri 16:00 - Mon 08:00, time_zone: Mars, reason: x}", "is no time zone"),
        ("{weekly: Fri 16:00 - Mon 08:00}", "`freezes.0.reason`: this field is missing"),
        ("{weekly: Fri 16:00 - Mon 08:00, reason: ' '}", "`freezes.0.reason`"),
        ("{form: 2026-12-20T10:00:00Z, reason: x}", "did you mean `from`?"),
    ],
)
def test_a_freeze_that_says_nothing_sure_is_refused_with_its_line(
    repository: Repository, written: str, said: str
) -> None:
    from ecluse.errors import SettingsError

    repository.replace(
        "environments/prod.yaml", "templates:", f"freezes:\n  - {written}\ntemplates:"
    )
    with pytest.raises(SettingsError) as refused:
        Catalog(repository.root).environment("prod")
    assert said in str(refused.value)
    assert refused.value.where.startswith("environments/prod.yaml:")


def freeze_now(repository: Repository) -> None:
    now = clock.now()
    begins, until = (clock.rfc3339(now + timedelta(days=days)) for days in (-1, 2))
    repository.replace(
        "environments/nonprod.yaml",
        "templates:",
        f"freezes:\n  - {{from: {begins}, until: {until}, reason: An audit}}\ntemplates:",
    )


def test_nothing_new_goes_live_in_a_freeze_unless_somebody_says_why(ecluse: Commands) -> None:
    assert ecluse.promote("nonprod", "--release", str(ecluse.build())).code == 0
    freeze_now(ecluse.repository)
    unchanged = ecluse.promote("nonprod", "--release", str(ecluse.build()))
    assert unchanged.code == 0, "what is unchanged does not care"
    ecluse.repository.replace("pipelines/alpha/pipeline.py", "= 0.9", "= 0.95")
    release = str(ecluse.build())
    plan = ecluse("plan", "nonprod", "--release", release)
    assert "nonprod is frozen until" in plan.out
    assert ": An audit" in plan.out

    refused = ecluse.promote("nonprod", "--release", release)
    assert refused.code == 1
    assert "An audit (for another 1 d)" in refused.err
    assert "--override" in refused.err
    (row,) = ecluse("status", "nonprod", "--json").json[0]["pipelines"]
    assert row["metrics"] == {"measure.accuracy": 0.9}

    report = ecluse.repository.root / "report.md"
    done = ecluse.promote(
        "nonprod", "--release", release, "--override", "a  leak", "--markdown", str(report)
    )
    assert done.code == 0, done.err
    (outcome,) = done.json["outcomes"]
    assert outcome["exceptions"][0] == "override: a leak"
    assert outcome["exceptions"][1].startswith("freeze: frozen until ")
    assert "! override: a leak" in done.err
    assert "🚨 **alpha: override: a leak**" in report.read_text(encoding="utf-8")
    # For ever: also when nothing changes any more.
    again = ecluse.promote("nonprod", "--release", release)
    assert "! override: a leak" in again.err

    back = ecluse("rollback", "nonprod", "--json")
    assert back.code == 0, "going back is allowed"
    (row,) = ecluse("history", "nonprod", "alpha", "--limit", "1", "--json").json
    assert (row["action"], row["override"]) == ("rollback", "")
    commit = done.json["commit"][:9]
    forth = ecluse("rollback", "nonprod", "--dry-run", "--to", commit)
    assert "! alpha: override: a leak" in forth.out, "an override goes on standing out"


def test_an_exception_stands_out_in_the_html_report() -> None:
    from ecluse.report.html import Chapter, render
    from ecluse.upkeep.status import StatusRow

    outcome = Outcome("alpha", "activated", None, None, exceptions=("override: <a leak>",))
    row = StatusRow(
        environment="prod",
        pipeline="beta",
        digest=None,
        version=None,
        commit="0" * 40,
        action="retire",
        since=clock.now(),
        by="ann",
        run="run",
        metrics={},
        changes=1,
        exceptions=("break-glass: a fire",),
    )
    page = render([Chapter("A merge", "v1", "prod", (outcome,))], [row], source="nothing")
    assert '<strong class="bad">break-glass: a fire</strong>' in page
    assert '<strong class="bad">override: &lt;a leak&gt;</strong>' in page


def test_the_freezes_that_the_environments_files_show_can_be_uncommented(
    repository: Repository,
) -> None:
    root = Path(__file__).parents[2]
    shown = (root / "environments/prod.yaml").read_text(encoding="utf-8").partition("# freezes:")
    lines = "".join(shown[1:]).replace("# ", "")
    repository.write("environments/dev.yaml", ENVIRONMENT.format(name="dev", suffix="x") + lines)
    once, weekly = Catalog(repository.root).environment("dev").freezes
    assert once.begins is not None
    assert weekly.weekly == "Fri 16:00 - Mon 08:00"


def test_a_run_that_ends_in_a_freeze_makes_nothing_live_and_is_kept(
    ecluse: Commands, address: str
) -> None:
    release, files = read_release(ecluse.build())
    ecluse("status")  # lays the environments out
    cloud = connect(Catalog(ecluse.repository.root).environment("nonprod"), local=address)
    open_settings = cloud.environment
    now = clock.now()
    freeze = Freeze.model_validate(
        {"from": now - timedelta(days=1), "until": now + timedelta(days=1), "reason": "An audit"}
    )

    def begin_the_freeze(_: Plan) -> None:
        cloud.environment = open_settings.model_copy(update={"freezes": [freeze]})

    def promote(planned: Callable[[Plan], None]) -> Outcome:
        order = Order(release, files, cloud, by="ann@example.com")
        board = Board(Console(quiet=True))
        (outcome,) = execution.promote(order, execution.Terms(below=None), board, planned=planned)
        return outcome

    held = promote(begin_the_freeze)
    assert held.ending == "held back"
    assert isinstance(held.error, Frozen)
    assert cloud.ledger.head().live("alpha") is None
    assert held.run is not None
    assert held.run.state == "succeeded"
    with pytest.raises(Frozen):
        promote(lambda _: None)
    cloud.environment = open_settings
    done = promote(lambda _: None)
    assert done.ending == "activated"
    assert done.run is not None
    assert done.run.name == held.run.name, "the same run, taken as it ended"
