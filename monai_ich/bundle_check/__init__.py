"""A bundle's configs and overrides, checked before MONAI runs them."""
