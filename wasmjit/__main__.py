"""`python -m wasmjit`."""

import sys

from wasmjit.cli import main

sys.exit(main())
