"""The command line: one file a command, which parses and prints; the stories are in the package
itself.
"""

from monai_ich.cli.app import main

__all__ = ["main"]
