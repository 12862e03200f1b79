"""What the history tells of a pipeline."""

from pathlib import Path

from tests.ecluse.conftest import Commands
from tests.ecluse.test_promotion import cloud_of


def test_a_history_tells_every_change_newest_first(ecluse: Commands, tmp_path: Path) -> None:
    first = ecluse.promote("nonprod", "--release", str(ecluse.build()), "--version", "v1")
    file = "pipelines/alpha/pipeline.py"
    ecluse.repository.replace(file, "accuracy: float = 0.9", "accuracy: float = 0.95")
    second = ecluse.promote("nonprod", "--release", str(ecluse.build()), "--version", "v2")
    rows = ecluse("history", "nonprod", "alpha", "--json").json
    assert [(row["sequence"], row["action"], row["version"]) for row in rows] == [
        (2, "activate", "v2"),
        (1, "activate", "v1"),
    ]
    for row, promoted in zip(rows, (second, first), strict=True):
        (outcome,) = promoted.json["outcomes"]
        assert row["digest"] == outcome["digest"]
        assert outcome["run"].endswith(row["run"])
        assert row["commit"] == promoted.json["commit"]
        assert row["by"] == "ann@example.com"
    assert rows[0]["metrics"] == {"measure.accuracy": 0.95}
    assert len(ecluse("history", "nonprod", "alpha", "--limit", "1", "--json").json) == 1
    shown = ecluse("history", "nonprod", "alpha").out
    assert shown.index("v2") < shown.index("v1")
    report = tmp_path / "report.md"
    assert ecluse("history", "nonprod", "alpha", "--markdown", str(report)).code == 0
    assert "| 2 | " in report.read_text()


def test_what_went_past_a_check_stands_out_in_the_history(ecluse: Commands, address: str) -> None:
    release = str(ecluse.build())
    assert ecluse.promote("nonprod", "--release", release).code == 0
    nonprod = cloud_of(ecluse, "nonprod", address)
    (proof,) = nonprod.storage.list(f"{nonprod.environment.evidence}/qualifications/")
    nonprod.storage.write(proof, b"{}")
    assert ecluse.promote("prod", "--release", release).code == 1
    assert ecluse.promote("prod", "--release", release, "--override", "a <b>fire</b>").code == 0
    assert "OVERRIDE: a <b>fire</b>" in ecluse("history", "prod", "alpha").out
    (row,) = ecluse("history", "prod", "alpha", "--json").json
    assert row["override"] == "a <b>fire</b>"


def test_a_pipeline_that_never_was_live_is_one_line(ecluse: Commands) -> None:
    answer = ecluse("history", "nonprod", "alpha")
    assert answer.code == 2
    assert "`alpha` was never live in nonprod → what was: nothing yet" in answer.err
