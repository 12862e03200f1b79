"""Endpoints: models deployed side by side, and predictions from them."""
