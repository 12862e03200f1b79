"""The laptop: one embedded cloud a state folder, whoever starts it."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ecluse.errors import CloudError, InvalidInput
from ecluse.local import embedded_cloud, stop_embedded_cloud


def test_two_commands_that_start_at_once_share_one_cloud(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ECLUSE_LOCAL", "1")
    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(embedded_cloud, [tmp_path, tmp_path])
    try:
        assert one == other
    finally:
        stop_embedded_cloud(tmp_path)
    assert not (tmp_path / "server.json").exists()


def test_a_cloud_that_cannot_start_says_where_its_log_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ECLUSE_LOCAL", "1")
    monkeypatch.setattr("sys.executable", "/bin/false")
    with pytest.raises(CloudError, match=r"did not start.*uv sync --all-extras") as error:
        embedded_cloud(tmp_path)
    assert error.value.where == str(tmp_path / "server.log")


@pytest.mark.parametrize("setting", ["yes", "https://example.com", "http://10.0.0.1:80"])
def test_only_an_address_on_this_machine_is_taken(
    setting: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ECLUSE_LOCAL", setting)
    with pytest.raises(InvalidInput, match="is no address of an embedded cloud"):
        embedded_cloud(tmp_path)


def test_ending_a_cloud_that_does_not_run_is_no_error(tmp_path: Path) -> None:
    stop_embedded_cloud(tmp_path)
    (tmp_path / "server.json").write_text('{"endpoint": "http://127.0.0.1:9", "pid": 1}')
    stop_embedded_cloud(tmp_path)
