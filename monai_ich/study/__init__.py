"""Many scans: one tidy row a scan, on one machine or a Ray cluster.

Read `run` first. `inputs` lists the cases, `worker` analyzes one, `cluster` spreads them and
outlives dead workers, `results` knows what is done and makes the tables, `summary` the page.
"""
