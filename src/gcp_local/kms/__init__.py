"""Cloud KMS: keys that sign and never leave."""
