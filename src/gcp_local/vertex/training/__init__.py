"""Training pipelines: AutoML for tables by a stand-in, and custom training."""
