"""Copy jobs: copies, clones, snapshots, and snapshots restored."""
