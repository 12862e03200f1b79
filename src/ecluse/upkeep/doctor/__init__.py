"""The doctor: everything a promotion will need, looked at before it is needed.

`needs` tells from the settings what that is; `probes` asks Google Cloud, side by side; `judgement`
makes sentences and mending commands of the answers. It changes nothing, ever.
"""
