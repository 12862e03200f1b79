"""Pub/Sub: topics, subscriptions, messages that are delivered at least once."""
