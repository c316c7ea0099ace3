from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.dispatch.containers import within

ID = "cd9bdf7dbe9b40cc357c6d91261148e0c26222a4ac58fb28b2497f2feddd6f84"


@pytest.mark.parametrize(
    "groups",
    [
        f"9:name=systemd:/docker/{ID}\n8:pids:/docker/{ID}\n",
        f"0::/system.slice/docker-{ID}.scope\n",
        f"0::/user.slice/user-1000.slice/user@1000.service/user.slice/docker-{ID}.scope\n",
        f"0::/../{ID}\n",
    ],
    ids=["version 1", "version 2", "rootless", "seen from a container"],
)
def test_a_process_is_in_the_container_that_its_control_group_names(groups: str, tmp_path: Path) -> None:
    for pid, text in {1: groups, 2: groups.replace(ID, "0" * 64), 3: "0::/user.slice\n"}.items():
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "cgroup").write_text(text)
    assert within(ID, [1, 2, 3, 4], tmp_path) == {1}
