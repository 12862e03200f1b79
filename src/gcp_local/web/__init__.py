"""HTTP: the server and its life, its requests and answers."""
