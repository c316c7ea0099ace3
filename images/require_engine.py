"""require_engine.py DISTRIBUTION VERSION: fails a build whose label would name another engine than is installed."""

import importlib.metadata
import sys

distribution, wanted = sys.argv[1:]
found = importlib.metadata.version(distribution).partition("+")[0]  # 2.13.0+cu130 is 2.13.0, built for CUDA 13.0
if found != wanted:
    sys.exit(f"{distribution} is {found} here, and ENGINE_VERSION says {wanted}: correct it in compose.yaml")
