"""The compose files as compose reads them, in a fresh clone without .env."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from tests.docker.conftest import IMAGES, REPOSITORY, Clone

pytestmark = pytest.mark.docker

SERVICES = ("pytorch", "pytorch-dev", "vllm", "tensorrt", "llamacpp", "simulated")
BEYOND = {
    "pytorch-dev": {"/opt/orchestrate/src/runners"},
    "tensorrt": {"/trt-engines"},
}
"""What a service mounts that others do not."""
CACHES = {"/cache", "/trt-engines"}
PLAIN = ("compose.yaml",)
GPU = ("compose.yaml", "compose.gpu.yaml")


@pytest.mark.parametrize("files", [PLAIN, GPU], ids=["cpu", "gpu"])
@pytest.mark.parametrize("service", SERVICES)
def test_no_container_has_more_rights_than_it_takes_to_become_its_user(
    clone: Clone, service: str, files: tuple[str, ...]
) -> None:
    found = clone.config(*files)[service]

    assert found["cap_drop"] == ["ALL"]
    assert sorted(found["cap_add"]) == ["SETGID", "SETUID"]
    assert found["security_opt"] == ["no-new-privileges:true"]
    assert found["read_only"] is True
    assert found["tmpfs"] == ["/tmp:exec,mode=1777"]
    assert found["network_mode"] == "bridge"
    assert not {"privileged", "pid", "ipc", "userns_mode", "devices", "ports", "secrets"} & found.keys()


@pytest.mark.parametrize("service", SERVICES)
def test_only_results_and_the_cache_are_mounted_to_be_written(clone: Clone, service: str) -> None:
    mounts = {mount["target"]: mount for mount in clone.config(*PLAIN)[service]["volumes"]}

    writable = {target for target, mount in mounts.items() if not mount.get("read_only")}
    assert writable == {"/results"} | (mounts.keys() & CACHES)
    assert mounts["/results"]["source"] == str(clone.results)
    assert mounts["/campaigns"]["source"] == str(clone.campaigns)
    assert all(mount["bind"]["create_host_path"] is False for mount in mounts.values() if mount["type"] == "bind")
    assert mounts.keys() - {"/results", "/campaigns", "/cache"} == BEYOND.get(service, set())


def test_the_folders_can_lie_elsewhere(clone: Clone) -> None:
    found = clone.config(*PLAIN, ORCHESTRATE_RESULTS="/data/results", ORCHESTRATE_CAMPAIGNS="/data/campaigns")
    sources = {mount["target"]: mount["source"] for mount in found["pytorch"]["volumes"]}
    assert (sources["/results"], sources["/campaigns"]) == ("/data/results", "/data/campaigns")


def test_all_services_share_one_cache_whatever_the_folder_is_called(clone: Clone) -> None:
    done = clone.compose("--profile", "*", "config", "--volumes")
    assert sorted(done.stdout.split()) == ["hf-cache", "trt-engine-cache"]
    assert "name: orchestrate-hf-cache" in clone.compose("config").stdout


def test_the_gpu_file_adds_the_runtime_and_its_two_variables_and_nothing_else(clone: Clone) -> None:
    plain, gpu = clone.config(*PLAIN), clone.config(*GPU)

    assert plain.keys() == gpu.keys() == set(SERVICES)
    for service, found in gpu.items():
        expected: dict[str, Any] = plain[service]
        assert "runtime" not in expected
        assert expected["environment"]["NVIDIA_VISIBLE_DEVICES"] == "void"
        expected["runtime"] = "nvidia"
        expected["environment"] |= {
            "NVIDIA_VISIBLE_DEVICES": "all",
            "NVIDIA_DRIVER_CAPABILITIES": "compute,utility",
        }
        assert found == expected


@pytest.mark.parametrize(
    ("variables", "chosen"),
    [
        ({}, "all"),
        ({"NVIDIA_VISIBLE_DEVICES": "GPU-2f6e"}, "GPU-2f6e"),
        ({"CUDA_VISIBLE_DEVICES": "2"}, "2"),
        ({"CUDA_VISIBLE_DEVICES": ""}, ""),
        ({"NVIDIA_VISIBLE_DEVICES": "void", "CUDA_VISIBLE_DEVICES": "2"}, "void"),
        ({"NVIDIA_VISIBLE_DEVICES": "GPU-2f6e", "CUDA_VISIBLE_DEVICES": ""}, "GPU-2f6e"),
    ],
)
def test_gpus_are_chosen_by_the_dispatcher_or_an_allocation(
    clone: Clone, variables: dict[str, str], chosen: str
) -> None:
    for service in clone.config(*GPU, **variables).values():
        assert service["environment"]["NVIDIA_VISIBLE_DEVICES"] == chosen
        assert "CUDA_VISIBLE_DEVICES" not in service["environment"]  # inside, GPUs count from 0
    for service in clone.config(*PLAIN, **variables).values():
        assert service["environment"]["NVIDIA_VISIBLE_DEVICES"] == "void"


def test_images_bear_the_version_of_the_package(clone: Clone) -> None:
    version = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["version"]
    for name, service in clone.config(*PLAIN).items():
        assert service["image"] == f"orchestrate/{name.removesuffix('-dev')}:{version}"
        assert service["build"]["args"]["VERSION"] == version


def test_base_images_and_the_commit_come_from_the_caller(clone: Clone) -> None:
    bases = {"pytorch": "a", "pytorch-dev": "a", "simulated": "b", "vllm": "d", "llamacpp": "e"}
    chosen = {f"{name.upper()}_BASE_IMAGE": base for name, base in bases.items() if name in IMAGES}
    for service, base in bases.items():
        arguments = clone.config(*PLAIN, **chosen, GIT_COMMIT="c")[service]["build"]["args"]
        assert (arguments["BASE_IMAGE"], arguments["GIT_COMMIT"]) == (base, "c")


@pytest.mark.parametrize(("measuring", "disabled"), [({}, True), ({"ORCHESTRATE_MEASURING": "false"}, False)])
def test_nothing_is_probed_while_it_measures_unless_asked_for(
    clone: Clone, measuring: dict[str, str], disabled: bool
) -> None:
    for service in clone.config(*PLAIN, **measuring).values():
        assert service["healthcheck"].get("disable", False) is disabled


def test_a_token_is_passed_through_and_never_written_down(clone: Clone) -> None:
    assert clone.config(*PLAIN)["pytorch"]["environment"]["HF_TOKEN"] is None
    assert clone.config(*PLAIN, HF_TOKEN="hf_secret")["pytorch"]["environment"]["HF_TOKEN"] == "hf_secret"


def test_the_largest_image_is_built_only_when_it_is_asked_for(clone: Clone) -> None:
    assert "tensorrt" not in clone.compose("config", "--services").stdout.split()
    assert clone.config(*PLAIN)["tensorrt"]["image"] == "orchestrate/tensorrt:0.1.0"
