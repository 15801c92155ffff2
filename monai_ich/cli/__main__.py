"""``python -m monai_ich.cli``."""

import sys

from monai_ich.cli.main import main

sys.exit(main())
