"""`python -m roadmap`: the command line."""

import sys

from roadmap.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
