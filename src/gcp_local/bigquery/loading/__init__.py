"""Load jobs: files from Cloud Storage or from the client become rows."""
