"""Resource Manager: the projects, as far as clients ask for them on their way."""
