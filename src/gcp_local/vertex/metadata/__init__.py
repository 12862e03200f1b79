"""Vertex ML Metadata: artifacts, executions and contexts, and the graph that they make."""
