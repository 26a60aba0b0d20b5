"""`python -m layerwise`: the command line."""

from __future__ import annotations

import sys

from layerwise.cli import main

if __name__ == "__main__":
    sys.exit(main())
