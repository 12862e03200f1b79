"""`python -m gcp_local`."""

from gcp_local.cli import main

raise SystemExit(main())
