"""`python -m isthmus`."""

import sys

from isthmus.cli.main import main

sys.exit(main())
