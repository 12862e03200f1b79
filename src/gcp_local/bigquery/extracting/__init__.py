"""Extract jobs: tables become files in Cloud Storage."""
