"""Scripts: several statements, variables, branches, loops, handlers, transactions."""
