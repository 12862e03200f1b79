"""Cloud Build: builds and triggers, their steps run as processes of this machine."""
