"""Vertex AI's model registry: models, their versions and aliases, evaluations, copies."""
