"""Écluse, the delivery engine: Vertex AI pipelines from merge to prod."""
