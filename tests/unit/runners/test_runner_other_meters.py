"""Meters of other packages, where these are not installed."""

import sys

import pytest

from runners.errors import MeterError
from runners.meters.codecarbon import CodeCarbonMeter
from runners.meters.reading import Meter
from runners.meters.zeus import ZeusMeter


@pytest.mark.parametrize(
    ("package", "meter"), [("zeus", ZeusMeter([])), ("codecarbon", CodeCarbonMeter([]))], ids=["zeus", "codecarbon"]
)
def test_a_package_that_is_not_there_is_named_with_its_extra(
    package: str, meter: Meter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)

    with pytest.raises(MeterError, match=f"measurement.meter is {package}") as raised:
        meter.open()

    assert f"pip install 'llm-orchestrate[{package}]'" in raised.value.hint
    meter.close()
