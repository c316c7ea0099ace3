"""What the images hold, and what a process in a container of theirs is, may do and may not."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runners.contract.paths import CONTRACT_VERSION
from tests.docker.conftest import IMAGES, REPOSITORY, USER, Clone, docker, inspected

pytestmark = [pytest.mark.docker, pytest.mark.usefixtures("image_names")]

PROBED = {"ORCHESTRATE_MEASURING": "false"}
ENGINES = {"pytorch": "2.13.0", "vllm": "0.32.0", "llamacpp": "2026.10.11549", "simulated": "none"}
INSIDE = (Path(__file__).parent / "inside.py").read_text()


def wait_until(condition: Callable[[], bool], what: str) -> None:
    for _ in range(300):
        if condition():
            return
        time.sleep(0.1)
    pytest.fail(f"not within 30 s: {what}")


@pytest.mark.parametrize("backend", IMAGES)
def test_an_image_says_what_it_is(backend: str, image_names: dict[str, str]) -> None:
    config = inspected("image", "inspect", image_names[backend])["Config"]
    labels, variables = config["Labels"], dict(line.split("=", 1) for line in config["Env"])

    assert labels["org.opencontainers.image.title"] == f"orchestrate/{backend}"
    assert labels["org.opencontainers.image.version"] == image_names[backend].partition(":")[2]
    assert labels["org.opencontainers.image.revision"] == variables["ORCHESTRATE_GIT_COMMIT"]
    assert labels["orchestrate.contract_version"] == str(CONTRACT_VERSION)
    assert labels["orchestrate.backend"] == backend
    assert labels["orchestrate.engine_version"] == ENGINES[backend]
    assert config["Entrypoint"] == ["entrypoint", backend]


@pytest.mark.parametrize("backend", IMAGES)
def test_a_process_is_its_user_and_writes_only_where_it_may(backend: str, clone: Clone) -> None:
    done = clone.run(backend, "python", "-c", INSIDE)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)

    uid, gid = USER
    assert found["user"] == [uid, gid, []]
    assert found["home"] == "/tmp"
    assert found["first"] == ["tini", *[str(uid)] * 4]
    assert found["status"]["NoNewPrivs"] == "1"
    assert int(found["status"]["CapEff"], 16) == int(found["status"]["CapPrm"], 16) == 0
    assert int(found["status"]["CapBnd"], 16) == 1 << 6 | 1 << 7  # CAP_SETGID and CAP_SETUID, for gosu
    # Anyone may write to /var/tmp, but for the root that is read-only; so may root to /campaigns.
    assert found["written"] == {
        "/results": "ok",
        "/cache": "ok",
        "/tmp": "ok",
        "/campaigns": "EROFS",
        "/var/tmp": "EROFS",
    }
    assert found["executed"] == "ran"
    assert found["source"] == ["runners"]
    assert found["found"] == []
    assert found["compiled"] == [True, True]
    written = (clone.results / "orchestrate-test").stat()
    assert (written.st_uid, written.st_gid) == USER


def test_the_engine_is_told_of_no_more_rights_and_of_no_secret(clone: Clone) -> None:
    with clone.running("simulated", "sleep", "60") as name:
        found = inspected("container", "inspect", name)
    host, variables = found["HostConfig"], found["Config"]["Env"]

    assert host["Privileged"] is False
    assert host["CapDrop"] == ["ALL"]
    assert sorted(capability.removeprefix("CAP_") for capability in host["CapAdd"]) == ["SETGID", "SETUID"]
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    assert host["ReadonlyRootfs"] is True
    assert not host["Devices"]
    assert not [line for line in variables if line.startswith("HF_TOKEN=")]


def test_what_begins_with_a_dash_goes_to_the_runner(clone: Clone) -> None:
    for arguments in ([], ["--help"]):
        done = clone.run("simulated", *arguments)
        assert done.returncode == 0
        assert done.stdout.startswith("usage: python -m runners simulated")


def test_anything_else_is_a_command_whose_exit_code_is_passed_on(clone: Clone) -> None:
    assert clone.run("simulated", "sh", "-c", "exit 7").returncode == 7


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"PUID": ""}, "PUID is not set"),
        ({"PGID": ""}, "PGID is not set"),
        ({"PUID": "me"}, "PUID is 'me': it must be a number"),
        ({"PGID": "-1"}, "PGID is '-1': it must be a number"),
        ({"PUID": "4321"}, f"/results cannot be written by 4321:{USER[1]}: it belongs to {USER[0]}:{USER[1]}"),
    ],
)
def test_without_a_fitting_user_nothing_starts(clone: Clone, variables: dict[str, str], said: str) -> None:
    done = clone.run("simulated", "true", **variables)
    assert done.returncode == 2
    assert f"orchestrate: {said}" in done.stderr


def test_root_is_told_too_that_a_folder_is_not_its_own(clone: Clone) -> None:
    """Root in a container has lost the right to write other people's folders."""
    clone.results.chmod(0o755)
    done = clone.run("simulated", "true", PUID="0", PGID="0")
    assert done.returncode == 2
    assert "/results cannot be written by 0:0" in done.stderr
    assert "chown it on the host, or take a user or group that may write" in done.stderr


def test_without_a_results_folder_nothing_starts(clone: Clone, image_names: dict[str, str]) -> None:
    bare = docker("run", "--rm", image_names["simulated"], "true")
    assert bare.returncode == 2
    assert "orchestrate: there is no /results" in bare.stderr

    missing = clone.compose("run", "--rm", "simulated", "true", variables={"ORCHESTRATE_RESULTS": "./missing"})
    assert missing.returncode != 0
    assert "source path does not exist" in missing.stderr
    assert not (clone.folder / "missing").exists()


def test_a_stopped_container_hands_the_signal_to_its_process(clone: Clone) -> None:
    code = (
        "import pathlib, signal, sys, time\n"
        "def stop(*_):\n"
        "    pathlib.Path('/results/stopped').touch()\n"
        "    sys.exit(130)\n"
        "signal.signal(signal.SIGTERM, stop)\n"
        "pathlib.Path('/results/ready').touch()\n"
        "time.sleep(60)\n"
    )
    with clone.running("simulated", "python", "-c", code) as name:
        wait_until((clone.results / "ready").exists, "the process has started")
        assert docker("stop", name).returncode == 0
        assert (clone.results / "stopped").exists()
        assert inspected("container", "inspect", name)["State"]["ExitCode"] == 130


def test_the_development_service_takes_the_owner_of_results_and_the_source_as_it_is(clone: Clone) -> None:
    shutil.copytree(REPOSITORY / "runners", clone.folder / "runners", ignore=shutil.ignore_patterns("__pycache__"))
    with (clone.folder / "runners/__init__.py").open("a") as file:
        file.write("EDITED = 'just now'\n")
    code = "import os, runners; print(os.getuid(), os.getgid(), runners.EDITED)"

    done = clone.run("pytorch-dev", "python", "-c", code, PUID="", PGID="")

    assert done.returncode == 0, done.stderr
    assert done.stdout.split(maxsplit=2) == [*map(str, USER), "just now\n"]


def health(name: str) -> str | None:
    state = inspected("container", "inspect", name)["State"]
    return state["Health"]["Status"] if "Health" in state else None


@pytest.mark.parametrize("backend", IMAGES)
def test_a_container_whose_device_answers_is_healthy(backend: str, clone: Clone) -> None:
    with clone.running(backend, "sleep", "60", override={"healthcheck": {"interval": "1s"}}, **PROBED) as name:
        wait_until(lambda: health(name) != "starting", "the first probe")
        assert health(name) == "healthy"


def test_a_container_whose_device_does_not_answer_is_unhealthy(clone: Clone) -> None:
    """CUDA is asked for, and the engine gives no GPU."""
    override: dict[str, Any] = {
        "healthcheck": {"interval": "1s", "retries": 1},
        "environment": {"NVIDIA_VISIBLE_DEVICES": "all"},
    }
    with clone.running("simulated", "sleep", "60", override=override, **PROBED) as name:
        wait_until(lambda: health(name) != "starting", "the first probe")
        assert health(name) == "unhealthy"


def test_a_container_that_is_measured_has_no_probe(clone: Clone) -> None:
    with clone.running("simulated", "sleep", "60") as name:
        assert health(name) is None


def test_torch_compiles_just_in_time(clone: Clone) -> None:
    code = (
        "import torch\n"
        "torch._dynamo.config.suppress_errors = False\n"
        "doubled = torch.compile(lambda x: torch.sin(x) * 2, fullgraph=True)(torch.ones(8))\n"
        "torch.testing.assert_close(doubled, torch.sin(torch.ones(8)) * 2)\n"
    )
    done = clone.run("pytorch", "python", "-c", code)
    assert done.returncode == 0, done.stderr


NVML = r"""
#include <fcntl.h>
#include <unistd.h>

int nvmlInitWithFlags(unsigned int flags) {
  int file = open("/dev/nvidiactl", O_RDWR | O_CLOEXEC);
  if (file < 0) return 9; /* NVML_ERROR_DRIVER_NOT_LOADED */
  close(file);
  return 0;
}

int nvmlInit_v2(void) { return nvmlInitWithFlags(0); }
"""


def test_nvml_needs_no_privilege_beyond_its_device(clone: Clone) -> None:
    """A library in NVML's place, where the container toolkit puts the real one, opens the device that NVML opens.

    It shows that our isolation (no capability, no-new-privileges, read-only root, a user that is not root) keeps
    nothing from the loader, from pynvml or from a device node that the engine grants. It cannot show what the real
    driver asks beyond opening /dev/nvidiactl, nor that the toolkit grants that node: that takes a GPU.
    """
    (clone.results / "nvml.c").write_text(NVML)
    built = clone.run("pytorch", "gcc", "-shared", "-fPIC", "-o", "/results/libnvidia-ml.so.1", "/results/nvml.c")
    assert built.returncode == 0, built.stderr
    library = {
        "type": "bind",
        "source": str(clone.results / "libnvidia-ml.so.1"),
        "target": "/usr/lib/libnvidia-ml.so.1",
        "read_only": True,
    }
    code = "import os, pynvml; assert os.getuid(); pynvml.nvmlInit(); print('answers')"

    def asked(service: dict[str, Any]) -> Any:
        (clone.folder / "override.json").write_text(json.dumps({"services": {"simulated": service}}))
        files = ("compose.yaml", "override.json")
        return clone.compose("run", "--rm", "-T", "simulated", "python", "-c", code, files=files)

    with_device = asked({"volumes": [library], "devices": ["/dev/null:/dev/nvidiactl"]})
    without = asked({"volumes": [library]})

    assert with_device.stdout == "answers\n", with_device.stderr
    assert without.returncode == 1
    assert "NVMLError_DriverNotLoaded" in without.stderr
