"""As whom a container writes in a folder: a process in it has one user and one group, and no further ones."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from orchestrator.system.docker import Docker, Ids, caller_ids


def ids_for(folder: Path, docker: Docker) -> Ids:
    """The PUID and PGID of a container that writes in a folder, which need not be there yet."""
    own = caller_ids(docker)
    try:
        status = folder.stat()
    except OSError:
        return own
    # Under rootless Docker, no group but the primary one reaches a container.
    return own if docker.rootless else fitting_ids(own, os.getgroups(), status)


def fitting_ids(own: Ids, groups: Collection[int], status: os.stat_result) -> Ids:
    """The caller's own ids; with the folder's group, where only that lets the caller write.

    Args:
        own: the caller's user and primary group.
        groups: all that the caller is in.
        status: the folder's.
    """
    shared = own._replace(gid=status.st_gid)
    by_group = status.st_gid in groups and may_write(shared, status) and not may_write(own, status)
    return shared if by_group else own


def may_write(ids: Ids, status: os.stat_result) -> bool:
    """Whether a folder's mode lets a process with these ids, and no privileges, make files in it."""
    shift = 6 if ids.uid == status.st_uid else 3 if ids.gid == status.st_gid else 0
    return status.st_mode >> shift & 0o3 == 0o3
