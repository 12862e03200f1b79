"""What an environment remembers: what is live, who may change it, and the evidence for it."""
