"""The embedded Google Cloud: Vertex AI, Cloud Storage and more, on a loopback port."""
