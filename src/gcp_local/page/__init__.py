"""The page at `/`: what people see of the embedded cloud, rendered here, read only.

    rest     which address shows what, and the headers that keep a browser out of harm's way
    site     what the pages read from, and the templates
    view     what a page consists of: plain values, which the templates write as HTML
    runs, run, task, …     one noun a module: from protos to values, mostly pure functions

Whatever was put into the cloud is untrusted here. Templates escape everything; what is HTML by
itself is shown in a sandbox, or as text.
"""
