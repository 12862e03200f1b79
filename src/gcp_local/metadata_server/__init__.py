"""The metadata server of a Google Cloud machine, from which clients take their identity."""
