"""What is built once from a commit: compiled pipelines, the manifest, and where both are kept."""
