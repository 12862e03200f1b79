"""The laptop: one embedded cloud a state folder, whoever starts it."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ecluse.errors import CloudError, InvalidInput
from ecluse.local import embedded_cloud, running_cloud, stop_embedded_cloud


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


@pytest.mark.parametrize(
    "setting",
    [
        "yes",
        "https://example.com",
        "http://10.0.0.1:80",
        "http://127.0.0.1:8@evil.example",
        "http://127.0.0.1:abc",
    ],
)
def test_only_an_address_on_this_machine_is_taken(
    setting: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ECLUSE_LOCAL", setting)
    with pytest.raises(InvalidInput, match="is no address of an embedded cloud"):
        embedded_cloud(tmp_path)


@pytest.mark.parametrize(
    "content", ["[]", "{}", "nonsense", '{"endpoint": "http://evil:1", "pid": 1}']
)
def test_a_server_file_that_is_none_is_passed_over(
    content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ECLUSE_LOCAL", "1")
    (tmp_path / "server.json").write_text(content)
    stop_embedded_cloud(tmp_path)
    assert not running_cloud(tmp_path)


def test_another_folders_cloud_is_neither_used_nor_ended(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ECLUSE_LOCAL", "1")
    (tmp_path / "server.json").write_text(f'{{"endpoint": "{address}", "pid": 999999}}')
    stop_embedded_cloud(tmp_path)  # ends nothing
    own = embedded_cloud(tmp_path)
    stop_embedded_cloud(tmp_path)
    assert own != address


def test_ending_a_cloud_that_does_not_run_is_no_error(tmp_path: Path) -> None:
    stop_embedded_cloud(tmp_path)
    (tmp_path / "server.json").write_text('{"endpoint": "http://127.0.0.1:9", "pid": 1}')
    stop_embedded_cloud(tmp_path)
