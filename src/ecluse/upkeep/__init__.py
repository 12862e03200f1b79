"""What is done between promotions: status, history, drift, doctor, watch, prune."""
