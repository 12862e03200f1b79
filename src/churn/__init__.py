"""The example: who of a bank's credit-card customers is about to leave."""
