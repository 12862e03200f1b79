"""Components that pipelines share."""
