"""Model servers: a model's serving container as a process of this host."""
