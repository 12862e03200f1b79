"""Vertex AI's services (Gemini Enterprise Agent Platform, since 2026): pipelines and models."""
