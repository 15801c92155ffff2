"""A new head CT comes in, results go back, and nothing that was acknowledged is ever lost.

The row of a series is the queue: `tables.py` says what is known, `states.py` what may follow what.
Roles (`receive`, `work`, `send`, `web`) are processes of their own under `supervise.py`; each may
be killed at any moment. Needs the extra ``monai-ich[service]``.
"""
