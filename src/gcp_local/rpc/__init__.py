"""RPCs over REST: Google's routes, its messages, and the one point through which calls go."""
