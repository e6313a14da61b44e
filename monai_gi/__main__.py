"""`python -m monai_gi` is `monai-gi`."""

import sys

from monai_gi.cli import main

if __name__ == "__main__":
    sys.exit(main())
