"""Where the last report of a commit's promotion is kept: LEDGER/reports/COMMIT.md.

Who may read the ledger may read it there, such as the workflow that started the promotion.
"""

from ecluse.cloud import Cloud
from ecluse.errors import InvalidInput


def keep_report(cloud: Cloud, commit: str, text: str) -> None:
    """Keep a promotion's report in Markdown; a later promotion of the commit replaces it."""
    cloud.storage.write(_address(cloud, commit), text.encode(), content_type="text/markdown")


def kept_report(cloud: Cloud, commit: str) -> str:
    """Return the report of a commit's last promotion.

    Raises:
        InvalidInput: this commit was never promoted here.

    """
    found = cloud.storage.read(_address(cloud, commit))
    if found is None:
        raise InvalidInput(
            f"commit {commit[:12]} has no report in {cloud.environment.name}",
            where=_address(cloud, commit),
            fix="promote it first",
        )
    return found.content.decode()


def _address(cloud: Cloud, commit: str) -> str:
    return f"{cloud.environment.ledger}/reports/{commit}.md"
