from __future__ import annotations

import pytest

from orchestrator.execution.effective import address, effective
from orchestrator.system.config import UserConfig
from tests.builders import campaign


def test_each_setting_is_named_once_with_where_it_was_set() -> None:
    config = UserConfig.model_validate(
        {"cpu_tdp_w": 65.0, "gaps": {"experiment_s": 1.0, "cycle_s": 2.0}, "failures": {"breaker": None}}
    )
    file = campaign(gaps={"cycle_s": 3}, measurement={"cpu_tdp_w": 90.0}, failures={"retries": 0}).file
    found = effective(config, file, {"gaps": {"experiment_s": 9.0}})
    assert len({setting.name for setting in found}) == len(found)
    said = {setting.name: (setting.value, setting.source) for setting in found}
    assert said["gaps.experiment_s"] == (9.0, "flag")
    assert said["gaps.cycle_s"] == (3.0, "file")
    assert said["gaps.until_cool"] == (False, "default")
    assert said["failures.retries"] == (0, "file")
    assert said["failures.breaker"] == (None, "user config")
    assert said["cpu_tdp_w"] == (90.0, "file")
    assert said["results_dir"] == ("results", "default")
    alone = {setting.name: setting.source for setting in effective(config)}
    assert alone["cpu_tdp_w"] == alone["gaps.cycle_s"] == "user config"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://user:pw@e.org:8443/T0/secret?x=1#y", "https://e.org:8443/…"),
        ("https://e.org", "https://e.org/…"),
        ("secret", "…"),
        ("https://[x", "…"),
        ("https://e.org:99999999/", "…"),
    ],
)
def test_of_a_webhook_only_the_host_is_shown(url: str, shown: str) -> None:
    assert address(url) == shown
    settings = effective(UserConfig.model_validate({"notify": {"webhook_url": url}}))
    assert {setting.name: setting.value for setting in settings}["notify.webhook_url"] == shown
