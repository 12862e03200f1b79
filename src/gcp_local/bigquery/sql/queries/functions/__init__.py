"""GoogleSQL's functions: a table of what each takes, gives and does; and how calls are read."""
