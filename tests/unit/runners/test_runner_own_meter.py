"""The meter in the how-to, as it stands there, on a made tree."""

import re
from pathlib import Path
from typing import Any

import pytest

from runners.contract.energy import Counter, CounterEdge
from runners.errors import MeterError

GUIDE = Path(__file__).parents[3] / "docs" / "how-to" / "add-a-meter.md"


@pytest.fixture
def meter_class() -> Any:
    (code,) = re.findall(r"^```python\n(.*?)^```$", GUIDE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    names: dict[str, Any] = {}
    exec(compile(code, str(GUIDE), "exec"), names)  # the page's own example
    return names["HwmonMeter"]


def test_the_example_tells_energy_with_bounds(meter_class: Any, tmp_path: Path) -> None:
    counter_file = tmp_path / "hwmon3" / "energy1_input"
    counter_file.parent.mkdir()
    counter_file.write_text("1000000\n")
    meter = meter_class(tmp_path)
    (source,) = meter.open()
    edges = []
    for number in range(1, 7):
        counter_file.write_text(f"{1_000_000 + number * 500_000}\n")
        edges += [CounterEdge(*edge[1:]) for edge in meter.sample().edges]
    assert meter.sample().edges == []
    meter.close()

    energy = Counter(edges, source.resolution_j).energy(edges[0].latest_s, edges[-1].earliest_s)

    assert source.name == "hwmon:hwmon3"
    assert [edge.energy_j for edge in edges] == [1.5, 2.0, 2.5, 3.0, 3.5, 4.0]
    assert all(edge.earliest_s < edge.latest_s for edge in edges)
    assert energy.low is not None
    assert energy.high is not None
    assert energy.low <= 2.0 <= energy.high


def test_the_example_says_why_it_cannot_be_read(meter_class: Any, tmp_path: Path) -> None:
    with pytest.raises(MeterError, match="no hardware monitor"):
        meter_class(tmp_path).open()
    (tmp_path / "hwmon0").mkdir()
    (tmp_path / "hwmon0" / "energy1_input").write_text("what?")
    with pytest.raises(MeterError, match="energy1_input"):
        meter_class(tmp_path).open()
