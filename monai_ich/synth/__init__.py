"""Synthetic head CT with exact truth, in torch: `case` says what, `generate` makes it."""
