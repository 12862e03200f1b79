"""How a release gets into an environment: plan, lift, gates, activation. And back."""
