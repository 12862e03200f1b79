"""Vertex AI TensorBoard: what training runs measured, step by step."""
