"""Vertex AI's JobService: custom jobs, tuning, batch prediction, monitoring. A class a noun."""
