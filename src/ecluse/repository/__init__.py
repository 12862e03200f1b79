"""What people write and git keeps: settings, pipelines, commits."""
