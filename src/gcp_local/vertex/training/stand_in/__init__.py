"""The stand-in for AutoML's tabular models: gradient boosted trees of scikit-learn's.

It trains in a process of its own (`train`), keeps a model as JSON (`model`) and serves it without
scikit-learn (`serve`). Nothing in here knows of the server.
"""
