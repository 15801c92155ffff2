"""How well predictions agree with the references of a manifest.

Read `run` first. `case` compares one scan, `figures` says what is made of all, `plots` and `page`
show it, `densities` looks at the scans as the network sees them, `track` logs to MLflow.
"""
