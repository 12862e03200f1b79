"""Identity and access: service accounts, what is signed in their names, policies that are kept."""
