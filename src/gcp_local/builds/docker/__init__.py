"""A stand-in for `docker` in a build's steps: it builds, tags and pushes, and runs nothing."""
