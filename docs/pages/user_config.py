"""user-config.md: every setting of `.orchestrate.yaml`."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.campaign.settings import Settings
from orchestrator.system.config import UserConfig
from pages.markdown import fields


def user_config() -> Iterator[str]:
    """The page."""
    yield "# User config: `.orchestrate.yaml`\n"
    yield "In the project's folder; what holds on this machine, whatever the campaign. `orchestrate init` writes it,"
    yield "`orchestrate config show` says what holds and where it was set, `orchestrate config validate` checks it, and"
    yield "every command refuses one that is wrong. [user-config.schema.json](user-config.schema.json) says the same to"
    yield "an editor.\n"
    yield "A setting is taken from the last of these that has it: its default, the user config, the campaign file, a"
    yield "flag. `dispatch` and `container_strategy` have flags of their own; `cpu_tdp_w` stands in a campaign file"
    yield "under `measurement:`; `gaps`, `failures` and `notify` are sections of campaign files too, key by key.\n"
    yield "Secrets are not kept in it: `HF_TOKEN` and `ORCHESTRATE_WEBHOOK_SECRET` are read from the environment, and"
    yield "so is `ORCHESTRATE_WEBHOOK_URL`, for an address that is as good as a secret.\n"
    yield from fields(UserConfig)
    for name, info in Settings.model_fields.items():
        yield f"\n## {name}\n"
        yield from fields(info.annotation)  # type: ignore[arg-type]
