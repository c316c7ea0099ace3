"""Prints what this interpreter has installed, as constraints for pip: nothing of a vendor's image is replaced."""

import importlib.metadata
import sys

found: dict[str, str] = {}
for distribution in importlib.metadata.distributions():
    found.setdefault(distribution.metadata["Name"], distribution.version)  # the first on the path is the one in use
sys.stdout.writelines(f"{name}=={version}\n" for name, version in sorted(found.items()))
