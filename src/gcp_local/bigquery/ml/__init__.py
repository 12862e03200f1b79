"""BigQuery ML: models trained by SQL, and the functions over them.

The server reads the statement, runs its query and starts `train` in a process of its own, which
leaves the model as JSON; the functions (`functions`) and an endpoint's server (`serve`) read that.
"""
