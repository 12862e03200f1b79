"""`gcloud` in a build's step: `gcloud storage cp|cat|ls`, and no more of it."""

from __future__ import annotations

import sys

from gcp_local.builds.copying.objects import run


def main(words: list[str]) -> int:
    """Do what the words say, and give the exit code."""
    rest = [word for word in words if not word.startswith(("--project", "--quiet"))]
    if rest[:1] == ["version"] or words[:1] == ["--version"]:
        sys.stdout.write("gcloud: the embedded cloud's stand-in, which has `gcloud storage`\n")
        return 0
    if rest[:1] != ["storage"]:
        sys.stderr.write(
            f"gcloud {' '.join(rest[:2])}: the embedded cloud's gcloud has `gcloud storage` only."
            " For your own gcloud, start the server with"
            " --image 'gcr.io/cloud-builders/gcloud=/path/of/gcloud'\n"
        )
        return 2
    return run(rest[1:], "gcloud storage")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
