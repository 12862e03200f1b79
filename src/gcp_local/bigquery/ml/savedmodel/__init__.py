"""Regressions as TensorFlow SavedModels, written without TensorFlow."""
