"""The second door: what comes by gRPC, for the clients that speak nothing else."""
