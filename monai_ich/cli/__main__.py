"""``python -m monai_ich.cli``."""

import sys

from monai_ich.cli.app import main

sys.exit(main())
