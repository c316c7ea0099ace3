"""require_engine.py MODULE VERSION: fails a build whose label would name another version than is installed."""

import importlib.metadata
import sys

module, wanted = sys.argv[1:]
# A build for the CPU may be a distribution of another name.
for distribution in importlib.metadata.packages_distributions().get(module) or [module]:
    found = importlib.metadata.version(distribution).partition("+")[0]  # 2.13.0+cu130 is 2.13.0, built for CUDA 13.0
    if found != wanted:
        sys.exit(f"{distribution} is {found} here, and ENGINE_VERSION says {wanted}: correct it in compose.yaml")
