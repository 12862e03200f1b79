"""The commit that a release is made of, asked of git."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from ecluse.errors import InvalidInput


@dataclass(frozen=True)
class Commit:
    """A commit.

    Attributes:
        sha: its 40 hex digits.
        time: when it was committed, RFC 3339.
        subject: the first line of its message.
        clean: whether the working tree holds exactly this commit.

    """

    sha: str
    time: str
    subject: str
    clean: bool


ABBREVIATED = 12
"""How many digits of a sha stand in a release's ancestry."""

_ANCESTORS = 300  # of 12 digits and a comma each: a substitution holds 4000 characters


def head_commit(root: Path) -> Commit:
    """Return the commit that is checked out.

    Raises:
        InvalidInput: the folder is no git repository, or has no commit yet.

    """
    try:
        answer = _git(root, "log", "-1", "--format=%H%n%cI%n%s")
        changed = _git(root, "status", "--porcelain", "--untracked-files=normal", "--", ".")
    except (subprocess.CalledProcessError, FileNotFoundError):
        raise InvalidInput(
            "a release is made of a commit, and there is none here",
            where=str(root),
            fix="git init && git add -A && git commit",
        ) from None
    sha, time, subject = answer.split("\n", 2)
    return Commit(sha=sha, time=time, subject=subject.strip(), clean=not changed.strip())


def ancestry(root: Path, commit: str = "HEAD") -> tuple[str, ...]:
    """Return the commits before a commit, as every whole clone of the repository knows them.

    Each is cut to twelve digits, so that all of them fit into one substitution of a build.

    Raises:
        InvalidInput: the clone is shallow, so that it knows fewer than others do.

    """
    if is_shallow(root):
        raise InvalidInput(
            "a release names the commits before its own, and this clone is shallow",
            where=str(root),
            fix="git fetch --unshallow; in a build: give --ancestry",
        )
    listed = _git(root, "rev-list", "--topo-order", f"--max-count={_ANCESTORS + 1}", commit)
    return tuple(sha[:ABBREVIATED] for sha in listed.split()[1:])


def is_shallow(root: Path) -> bool:
    """Whether the clone knows only its newest commits."""
    return _git(root, "rev-parse", "--is-shallow-repository").strip() == "true"


def is_ancestor(root: Path, older: str, newer: str) -> bool:
    """Whether git knows here that one commit descends from another; false where it cannot tell."""
    try:
        _git(root, "merge-base", "--is-ancestor", older, newer)
    except (subprocess.CalledProcessError, FileNotFoundError):
        return False
    return True


def not_ignored(root: Path) -> frozenset[str] | None:
    """Return every file that git tracks or would track, from the root; none where there is no git.

    A file that git ignores is in no commit, so it may be in nothing that is made of one.
    """
    try:
        listed = _git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    except (subprocess.CalledProcessError, FileNotFoundError):
        return None
    return frozenset(filter(None, listed.split("\0")))


def resolve_commit(root: Path, name: str) -> str:
    """Return the sha that a commit is called by: a whole sha itself, or a tag, branch or short sha.

    Raises:
        InvalidInput: git knows no such commit here.

    """
    if re.fullmatch(r"[0-9a-f]{40}", name):
        return name
    try:
        sha = _git(
            root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"
        )
    except (subprocess.CalledProcessError, FileNotFoundError):
        raise InvalidInput(
            f"`{name}` is no commit here", where="--commit", fix="give a sha, a tag or HEAD"
        ) from None
    # `--end-of-options` is echoed by git before 2.30.
    return sha.split()[-1]


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(root), *arguments], check=True, capture_output=True, text=True
    )
    return done.stdout
