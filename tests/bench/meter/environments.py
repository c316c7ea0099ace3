"""An environment of its own for each peer, made once and kept, so that their dependencies cannot meet."""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
from pathlib import Path

from tests.bench.meter.peers import Peer

CACHE = Path(__file__).parents[3] / ".state" / "bench-meter"
INSTALL_TIMEOUT_S = 1200


class NotInstalledError(Exception):
    """A peer cannot be installed here; the message is pip's own last word."""


def python_of(peer: Peer) -> Path:
    """The Python of the peer's environment, which is made where there is none with these requirements.

    Raises:
        NotInstalledError: pip says no.
    """
    folder = CACHE / peer.name
    python, stamp = folder / "bin" / "python", folder / "requirements.txt"
    wanted = "\n".join(peer.requirements) + "\n"
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
        return python
    print(f"installing {', '.join(peer.requirements)} …", file=sys.stderr, flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    venv.create(folder, with_pip=True)
    argv = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *peer.requirements]
    try:
        subprocess.run(argv, check=True, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S)
    except subprocess.CalledProcessError as error:
        raise NotInstalledError((error.stderr.strip().splitlines() or ["pip failed without a word"])[-1]) from error
    except subprocess.TimeoutExpired as error:
        raise NotInstalledError(f"pip took longer than {INSTALL_TIMEOUT_S} s") from error
    stamp.write_text(wanted, encoding="utf-8")
    return python
