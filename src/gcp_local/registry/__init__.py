"""Artifact Registry, for KFP packages: compiled pipelines under digests and tags."""
