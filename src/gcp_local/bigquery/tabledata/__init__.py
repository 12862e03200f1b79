"""A table's rows over the REST API: read page by page, and streamed in."""
