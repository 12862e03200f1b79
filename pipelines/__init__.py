"""The pipelines: one folder each, and the components they share."""
