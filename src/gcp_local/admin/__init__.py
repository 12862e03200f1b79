"""What Google Cloud does not have: how the embedded cloud itself is asked and driven."""
