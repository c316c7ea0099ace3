"""Which dispatcher serves a campaign: one for all of its runs."""

from __future__ import annotations

from collections.abc import Iterable

from orchestrator.campaign.schema import ContainerStrategy, DispatcherName
from orchestrator.dispatch.base import Dispatcher
from orchestrator.dispatch.containerised import ComposeDispatcher, Persistence
from orchestrator.dispatch.local import LocalDispatcher, missing_modules
from orchestrator.dispatch.scene import Scene
from orchestrator.errors import MachineError
from orchestrator.system.docker import inside_container, require_docker
from runners.contract.options import OPTIONS


def choose_dispatcher(
    backends: Iterable[str],
    scene: Scene,
    wanted: DispatcherName | None = None,
    strategy: ContainerStrategy = "ephemeral",
    persistence: Persistence | None = None,
) -> Dispatcher:
    """The dispatcher for a campaign over these backends.

    Args:
        backends: the engines of the campaign.
        scene: where its runs take place.
        wanted: the one to use; None: ``local`` where there is a single engine and it is installed here, and
            inside a container where all are, or where that has no Docker; else ``compose``.
        strategy: how containers are used, if they are.
        persistence: how those are kept that stay up for several runs.

    Raises:
        MachineError: nothing was wanted, and no way is open.
    """
    needed = sorted(set(backends))
    name = wanted or _first_choice(needed)
    if name == "local":
        return LocalDispatcher(needed, scene.attempts)
    return ComposeDispatcher(scene, needed, strategy, persistence)


def _first_choice(backends: list[str]) -> DispatcherName:
    engines = [backend for backend in backends if OPTIONS[backend].MODULES]
    absent = {engine: missing_modules(engine) for engine in engines}
    inside = inside_container()
    if not any(absent.values()) and (inside or len(engines) <= 1):
        return "local"
    try:
        require_docker()
    except MachineError as error:
        if inside:
            return "local"  # which names the engine that is not there
        raise MachineError(
            f"{_why_not_local(absent)}, and containers cannot be used: {error}",
            hint=" or ".join(filter(None, [*(OPTIONS[e].INSTALL_HINT for e in absent if absent[e]), error.hint])),
        ) from None
    return "compose"


def _why_not_local(absent: dict[str, list[str]]) -> str:
    lacking = [f"the backend {engine} needs {' and '.join(modules)}" for engine, modules in absent.items() if modules]
    return f"{', '.join(lacking)}, not installed here" if lacking else "several engines need a container each"
