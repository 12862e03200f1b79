from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from churn.__main__ import main

if TYPE_CHECKING:
    from pathlib import Path


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "churn", *arguments], capture_output=True, text=True, check=False
    )


def test_a_sample_can_be_made_and_checked(tmp_path: Path) -> None:
    path = tmp_path / "new" / "sample.csv"
    made = run("sample", "--rows", "300", "--seed", "3", "--output", str(path))
    assert (made.returncode, made.stderr) == (0, "")
    checked = run("check", str(path))
    assert (checked.returncode, checked.stderr) == (0, "")
    assert checked.stdout.startswith(f"{path}: 300 rows, 300 customers, 1")


def test_the_same_seed_writes_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one.csv", "two.csv"):
        assert (
            main(["sample", "--rows", "50", "--seed", "3", "--output", f"{tmp_path / name}"]) == 0
        )
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "two.csv").read_bytes()


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (None, "no such file"),
        ("not,a\nchurn,file\n", "missing columns: CLIENTNUM, Attrition_Flag"),
        ("header only", "no rows"),
        ("wrong type", "Customer_Age: 2 values not a whole number: 'old'"),
    ],
)
def test_a_bad_file_is_one_line_and_exit_code_2(
    tmp_path: Path,
    generated: pd.DataFrame,
    capsys: pytest.CaptureFixture[str],
    content: str | None,
    error: str,
) -> None:
    path = tmp_path / "data.csv"
    if content == "header only":
        generated.head(0).to_csv(path, index=False)
    elif content == "wrong type":
        generated.head(2).assign(Customer_Age="old").to_csv(path, index=False)
    elif content is not None:
        path.write_text(content)
    assert main(["check", str(path)]) == 2
    written = capsys.readouterr()
    assert written.out == ""
    assert written.err.startswith(f"error: {path}: {error}")
    assert written.err.count("\n") == 1


def test_help_needs_no_pandas() -> None:
    code = "import sys, churn.__main__; sys.exit('pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_business_code_runs_without_kfp_or_any_google_library() -> None:
    code = (
        "import sys; before = set(sys.modules);"
        "import churn.report, churn.sample, churn.serving, churn.split, churn.training;"
        "loaded = {name.split('.')[0] for name in set(sys.modules) - before};"
        "sys.exit(bool(loaded & {'kfp', 'google', 'ecluse'}))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
