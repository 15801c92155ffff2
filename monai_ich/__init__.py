"""MONAI-ICH: segmentation and measurement of intracranial hemorrhage on non-contrast head CT. For research use."""

__version__ = "0.1.0"
