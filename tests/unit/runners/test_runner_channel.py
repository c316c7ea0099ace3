"""Messages between the runner and the further processes of its engine."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator

import pytest

from runners.backends.pytorch_channel import Channel

TWO_SECONDS = struct.pack("ll", 2, 0)


@pytest.fixture
def ends() -> Iterator[tuple[Channel, Channel]]:
    one, other = socket.socketpair()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, TWO_SECONDS)  # what would wait for a reader fails instead
    channels = Channel(one), Channel(other)
    yield channels
    for channel in channels:
        channel.close()


def test_messages_come_whole_and_in_order(ends: tuple[Channel, Channel]) -> None:
    ours, theirs = ends
    ours.send({"do": "load", "with": {"text": "a\nb"}})
    ours.send({"do": "close"})
    assert theirs.receive() == {"do": "load", "with": {"text": "a\nb"}}
    assert theirs.pending
    assert theirs.receive() == {"do": "close"}
    ours.close()
    assert theirs.receive() is None


def test_what_nobody_reads_is_dropped_before_it_holds_anybody_up(ends: tuple[Channel, Channel]) -> None:
    ours, theirs = ends
    for _ in range(10_000):
        ours.offer({"alive": True})
    ours.send({"done": 1})  # there is room left for what matters
    said = []
    while (message := theirs.receive()) == {"alive": True}:
        said.append(message)
    assert message == {"done": 1}
    assert 0 < len(said) < 10_000
