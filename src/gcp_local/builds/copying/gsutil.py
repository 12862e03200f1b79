"""`gsutil` in a build's step: `gsutil [-m] cp|cat|ls`."""

from __future__ import annotations

import sys

from gcp_local.builds.copying.objects import run

if __name__ == "__main__":
    sys.exit(run([word for word in sys.argv[1:] if word not in ("-m", "-q")], "gsutil"))
