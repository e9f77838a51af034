"""`python -m ltx2_client` is the command `ltx2`."""

import sys

from .cli.main import main

if __name__ == "__main__":
    sys.exit(main())
