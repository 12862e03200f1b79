"""Stand-ins for `gsutil` and `gcloud` in a build's steps: they copy, list and show objects."""
