"""What starting a run in a container costs beyond what Docker Compose itself takes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from statistics import median

from orchestrator.campaign.load import campaign_from_mapping
from orchestrator.execution.campaigns import dispatcher_for, run_campaign
from orchestrator.execution.events import CampaignEvent, CampaignStarted, RunCompleted
from orchestrator.system.project import find_project
from tests.bench.pairs import Row, median_interval

ROOT = Path(__file__).parents[2]
PAIRS = 40
_CAMPAIGN = "overhead"
_BARE = "bare-overhead"


class Alternating:
    """Watches a campaign, and after each run starts a container of the same image that does nothing."""

    def __init__(self, project: Path, environment: dict[str, str]) -> None:
        run = ["run", "--rm", "-T", "--no-deps", "--name", _BARE, "simulated", "true"]
        self._argv = ["docker", "compose", "--progress", "quiet", *run]
        self._project = project
        self._environment = environment
        self._since_s = 0.0
        self._began_unix_s = 0.0
        self.ratios: list[float] = []
        self.overheads_s: list[float] = []
        self.bare_s: list[float] = []

    def __call__(self, event: CampaignEvent) -> None:
        if isinstance(event, RunCompleted):
            wall_s = time.perf_counter() - self._since_s
            started_s = time.perf_counter()
            subprocess.run(self._argv, cwd=self._project, env=self._environment, check=True, capture_output=True)
            bare_s = time.perf_counter() - started_s
            alive_s, bare_alive_s = self._life_s(f"orchestrate-{_CAMPAIGN}-"), self._life_s(_BARE)
            overhead_s = wall_s - (alive_s - bare_alive_s)
            self.ratios.append(overhead_s / bare_s)
            self.overheads_s.append(overhead_s)
            self.bare_s.append(bare_s)
        if isinstance(event, (RunCompleted, CampaignStarted)):
            self._began_unix_s = time.time()
            self._since_s = time.perf_counter()

    def _life_s(self, name: str) -> float:
        """From start to end of the one container since the last pair whose name begins so, as the engine saw it."""
        span = ["--since", f"{self._began_unix_s:.3f}", "--until", f"{time.time():.3f}"]
        which = ["--filter", "event=start", "--filter", "event=die", "--format", "{{json .}}"]
        events = subprocess.run(["docker", "events", *span, *which], check=True, capture_output=True, text=True).stdout
        found = [json.loads(line) for line in events.splitlines()]
        moments = {
            event["Action"]: event["timeNano"]
            for event in found
            if event["Actor"]["Attributes"]["name"].startswith(name)
        }
        return float(moments["die"] - moments["start"]) / 1e9


def dispatch_overhead(folder: Path) -> Row:
    """Wall time of a run minus the runner's own, against ``docker compose run --rm`` of the same image."""
    for name in ("compose.yaml", "compose.gpu.yaml"):
        shutil.copy(ROOT / name, folder)
    project = find_project(folder)
    campaign = campaign_from_mapping(
        {
            "name": _CAMPAIGN,
            "model": "any/model",
            "workload": {"prompts": 1, "output_tokens": 2},
            "backends": {"simulated": {"tokens_per_s": 1000.0}},
            "cycles": PAIRS + 1,
        }
    )
    project.prepare()
    (folder / "campaigns").mkdir()
    dispatcher = dispatcher_for(campaign, project, "compose")
    dispatcher.check([])
    bare = {**os.environ, "PUID": str(os.getuid()), "PGID": str(os.getgid())}
    watch = Alternating(folder, bare)
    run_campaign(campaign, project=project, dispatcher=dispatcher, on_event=watch)
    values = watch.ratios[1:]
    low, high = median_interval(values)
    note = f"ours {median(watch.overheads_s) * 1e3:.0f} ms, bare {median(watch.bare_s) * 1e3:.0f} ms;"
    note += f" 95 % interval of the median {low:.3f} – {high:.3f}"
    return Row("dispatching a run in a container, against bare `docker compose run --rm`", "×", values, 1.15, note)
