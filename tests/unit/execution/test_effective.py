from __future__ import annotations

from orchestrator.execution.effective import effective
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


def test_of_a_webhook_only_the_host_is_shown() -> None:
    config = UserConfig.model_validate({"notify": {"webhook_url": "https://e.org:8443/T0/secret?x=1#y"}})
    assert {setting.name: setting.value for setting in effective(config)}[
        "notify.webhook_url"
    ] == "https://e.org:8443/…"
