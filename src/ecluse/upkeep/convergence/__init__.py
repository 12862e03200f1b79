"""Makes true in the cloud what the ledger says, and never the other way round.

difference   what is not as the ledger says; and what keeps one kind of thing so, a Keeper
schedules    each live pipeline's schedule
tags         the `live` tag on each package
triggers     each live pipeline's triggers
templates    the compiled pipelines that are live, byte by byte
converging   all keepers together: for a promotion, and for the drift check
"""
