"""Who is doing this, for the ledger."""

import getpass
import os
import subprocess
from pathlib import Path


def actor(root: Path) -> str:
    """Return who promotes: ECLUSE_ACTOR, GitHub's actor, git's e-mail address, or the login."""
    named = os.environ.get("ECLUSE_ACTOR") or os.environ.get("GITHUB_ACTOR")
    if named:
        return named
    try:
        done = subprocess.run(
            ["git", "-C", str(root), "config", "user.email"],
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        done = None
    if done is not None and done.stdout.strip():
        return done.stdout.strip()
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
