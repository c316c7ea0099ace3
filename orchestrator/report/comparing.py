"""Campaigns, groups and experiments compared: read, held against each other, and what has to be said of that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from orchestrator.analysis.comparable import ESTIMATED
from orchestrator.analysis.compare import MEASURED, Comparison, compare_groups
from orchestrator.analysis.groups import Choice, Group, groups_of
from orchestrator.errors import InputError
from orchestrator.report.circumstances import environment_of, facts, told
from orchestrator.report.costs import WORK, Cost, Prices, cost_of
from orchestrator.report.counting import counted, some_of
from orchestrator.report.drifting import drift_notes
from orchestrator.report.pairing import Pair, Pairs, pairs_of
from orchestrator.results.columns import metric_named
from orchestrator.results.folders import CampaignFolder
from orchestrator.results.reading import load_result
from orchestrator.results.table import RunTable
from orchestrator.system.project import Project, find_project
from runners.contract.quantities import QUANTITIES

METRICS: Final = ("energy_per_output_token_j", "output_tokens_per_s", "ttft_s.p50")
"""Those that are compared where none is named."""
_FIELDS_NAMED: Final = 6
_ENVIRONMENTS_NAMED: Final = 3
_SOFTWARE: Final = ("backend", "libraries.", "image_digest", "container", "python", "os", "hostname", "git_commit")
"""What unlike backends bring in any case."""


@dataclass(frozen=True, slots=True)
class Compared:
    """The answer."""

    pairs: Pairs
    metrics: Sequence[str]
    comparisons: Sequence[Comparison]
    """Those of the first pair, a metric after another, then of the second, and so on."""
    costs: Sequence[Cost]
    """Of the comparisons of energy per work."""
    prices: Prices
    caveats: Mapping[str, str]
    """What has to stand beside the figures of each metric: ``simulated``, ``energy estimated, in part``, or nothing."""
    notes: Sequence[str]
    faults: Sequence[str]

    def by_pair(self) -> Iterator[tuple[Pair, Sequence[Comparison]]]:
        """Each pair with its comparisons."""
        step = len(self.metrics)
        for place, pair in enumerate(self.pairs.found):
            yield pair, self.comparisons[place * step : (place + 1) * step]


def compare(
    *operands: str,
    metrics: Iterable[str] = (),
    by: Sequence[str] = (),
    against: str | None = None,
    where: Sequence[str] = (),
    prices: Prices = Prices(),  # noqa: B008 (frozen)
    choice: Choice = MEASURED,
    project: Project | None = None,
) -> Compared:
    """Compare campaigns, groups of their runs, or experiments.

    Args:
        operands: ``NAME`` of a campaign, ``NAME:PART`` of an experiment's id, ``NAME:param=value,param=value``. The
            first is the reference; of one alone, each group is held against the first.
        metrics: names of quantities, or what is unique of them; none: energy per output token, output rate, TTFT.
        by: what to group runs by; empty: experiment by experiment, or what was picked as one group.
        against: the group that is the reference, where one campaign is compared within itself.
        where: conditions such as ``ttft_s.p95 < 0.5``; those on figures hold of a group's median.
        prices: what energy costs.
        choice: which runs are used.
        project: where campaigns are looked for; found from the current folder if not given.

    Raises:
        InputError: there is no such campaign, experiment, column or quantity, or nothing to compare.
    """
    named = list(dict.fromkeys(metric_named(name) for name in metrics)) or list(METRICS)
    if (prices.per_kwh is not None or prices.gco2e_per_kwh is not None) and not WORK.keys() & set(named):
        raise InputError("prices are of energy, and none is compared", hint=f"--metric one of {', '.join(WORK)}")
    pairs = pairs_of(project or find_project(), operands, by, against, where, choice)
    held = [(pair.a, pair.b) for pair in pairs.found]
    comparisons = compare_groups(held, named, choice, _among(pairs.tables.values(), choice))
    costs = [cost for one in comparisons if (cost := cost_of(one, prices))]
    return Compared(
        pairs,
        named,
        comparisons,
        costs,
        prices,
        _caveats(_groups(pairs), named),
        [*pairs.notes, *_notes(pairs, named, comparisons)],
        [fault for table in pairs.tables.values() for fault in table.faults],
    )


def _among(tables: Iterable[RunTable], choice: Choice) -> Iterator[Group]:
    """The experiments of campaigns on several GPUs: all of them tell what each GPU adds."""
    for table in tables:
        if table.frame["gpus"].nunique() > 1:
            yield from groups_of(table, (), choice)


def _groups(pairs: Pairs) -> list[Group]:
    """All that is compared, each once."""
    return list({id(group): group for pair in pairs.found for group in (pair.a, pair.b)}.values())


def _caveats(groups: Sequence[Group], metrics: Sequence[str]) -> dict[str, str]:
    """Whether figures are simulated or estimated, by metric."""
    kinds = [
        (set(group.frame["backend"].tolist()), set(group.frame["energy_method"].tolist()))
        for group in groups
        if len(group.frame)
    ]
    found = {}
    for metric in metrics:
        made = {
            "simulated"
            if "simulated" in backends
            else next((f"energy {way}" for way in ("simulated", "estimated") if way in methods), "")
            if QUANTITIES[metric].of_energy
            else ""
            for backends, methods in kinds
        }
        named = " or ".join(sorted(made - {""}))
        found[metric] = f"{named}, in part" if named and "" in made else named
    return found


def _notes(pairs: Pairs, metrics: Sequence[str], comparisons: Sequence[Comparison]) -> Iterator[str]:
    groups = _groups(pairs)
    yield from _left_out(groups)
    yield from _drifts(groups, metrics)
    yield from _environments(pairs)
    same = {(id(one.a), id(one.b)): one.same_output for one in comparisons}
    asked = [value for value in same.values() if value is not None]
    if asked and all(asked):
        yield "the same prompts gave the same outputs"
    elif asked:
        yield f"outputs differ in {some_of(asked.count(False), len(asked), 'pair')} that were asked the same"
    elif same:
        yield "whether outputs are the same is not known: they were not asked the same, or what came is not kept"
    if any(one.why_not == ESTIMATED for one in comparisons):
        yield "--estimated compares estimated joules all the same"
    if unlike := len({(id(one.a), id(one.b)) for one in comparisons if one.unlike_gpus}):
        what = "the two" if len(pairs.found) == 1 else f"in {some_of(unlike, len(pairs.found), 'pair')} the two"
        yield f"{what} ran on unlike GPUs, and nothing tells what these add: part of a difference may be theirs"
    if within := sum(map(_meters_allow, comparisons)):
        yield (
            f"{counted(within, 'difference')} told apart from repetitions {'is' if within == 1 else 'are'} within the"
            " meters' own bounds: told only if the error is the same in both, as of one meter"
        )
    if any(table.frame["until"].notna().any() for table in pairs.tables.values()):
        yield "repeated until known: intervals and verdicts allow for that cycles were looked at as they came"


def _meters_allow(one: Comparison) -> bool:
    """Whether a difference that was told could be the meters' error alone."""
    if one.verdict == "cannot tell" or one.ratio is None or one.meter_low is None or one.meter_high is None:
        return False
    return one.ratio.estimate * one.meter_low <= 1 <= one.ratio.estimate * one.meter_high


def _left_out(groups: Sequence[Group]) -> Iterator[str]:
    runs: Counter[str] = Counter()
    for group in groups:
        for left in group.left_out:
            runs[left.reason] += left.runs
    if runs:
        yield "left out: " + ", ".join(f"{counted(number, 'run')} ({reason})" for reason, number in runs.items())


def _drifts(groups: Sequence[Group], metrics: Sequence[str]) -> list[str]:
    by_campaign: dict[str, list[Group]] = {}
    for group in groups:
        if len(group.frame):
            by_campaign.setdefault(str(group.frame["campaign"].iat[0]), []).append(group)
    return drift_notes(by_campaign, metrics)


def _environments(pairs: Pairs) -> Iterator[str]:
    """What differs between the environments that are held against each other."""
    seen: dict[tuple[frozenset[str], frozenset[str]], Pair] = {}
    found = {id(group): frozenset(group.frame["environment_id"].tolist()) for group in _groups(pairs)}
    for pair in pairs.found:
        of_a, of_b = found[id(pair.a)], found[id(pair.b)]
        if of_a and of_b and of_a != of_b:
            seen.setdefault((of_a, of_b), pair)
    for pair in list(seen.values())[:_ENVIRONMENTS_NAMED]:
        unlike_backends = set(pair.a.frame["backend"]) != set(pair.b.frame["backend"])
        differing = _differing(pair, pairs.tables)
        fields = {
            name: values
            for name, values in differing.items()
            if not (unlike_backends and name.startswith(_SOFTWARE)) and name not in ("hostname", "git_commit")
        }
        if not fields and unlike_backends:
            continue
        texts = {name: told(name, values) for name, values in fields.items()}
        differ = [f"{name} {before or '—'} → {after or '—'}" for name, (before, after) in texts.items()]
        more = f" and {len(differ) - _FIELDS_NAMED} more" if len(differ) > _FIELDS_NAMED else ""
        what = f": {'; '.join(differ[:_FIELDS_NAMED])}{more}" if differ else ", in what cannot be read any more"
        yield f"environments differ ({pair.name_a} → {pair.name_b}){what}"
    if len(seen) > _ENVIRONMENTS_NAMED:
        yield f"{len(seen) - _ENVIRONMENTS_NAMED} more pairs of environments differ"


def _differing(pair: Pair, tables: Mapping[str, RunTable]) -> Mapping[str, Sequence[str]]:
    """The fields in which the environments of two groups differ, as far as their results can be read."""
    described = {}
    for side, group in (("a", pair.a), ("b", pair.b)):
        run = group.frame.iloc[0]
        folder = CampaignFolder(tables[str(run["campaign"])].folder)
        try:
            result = load_result(folder.run_folder(str(run["experiment_id"]), int(run["cycle"])))
        except InputError:
            return {}
        described[side] = environment_of(result, [f"{result.backend} {result.backend_version or ''}".strip()])
    return facts(described).differing
