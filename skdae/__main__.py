"""``python -m skdae``, the same as the command ``skdae``."""

import sys

from .cli import main

sys.exit(main())
