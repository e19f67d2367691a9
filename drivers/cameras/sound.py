"""Sound of a camera, as far as it is recorded: AAC, passed through as the camera encoded it.

Pictures are the evidence and sound is an addition that HR may order, so the two share nothing: sound has a
connection of its own, its faults are its own, and a driver without sound simply is no `SoundSource`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from drivers.cameras.base import CameraError

LARGEST_FRAME = 1 << 13
"""Bytes of one AAC frame; ISO/IEC 13818-7 allows 768 a channel, and eight channels."""

_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)
_LOW_COMPLEXITY, _WITH_SBR, _WITH_PS = 2, 5, 29


class NoSoundError(CameraError):
    """The camera has no sound that can be recorded; the message says what to set. Asking again soon is of no
    use."""


@dataclass(frozen=True, slots=True)
class SoundFormat:
    """What a sound track must know before its first frame."""

    configuration: bytes
    """AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2.1)."""
    samples_per_second: int
    """Of the core coder: what `frame_samples` counts in. 7350..96000."""
    channels: int
    """1..8."""
    frame_samples: int
    """Samples a channel in each AAC frame: 1024 or 960."""


@dataclass(frozen=True, slots=True)
class SoundFrame:
    """One AAC frame (access unit, without an ADTS header)."""

    data: bytes
    media_ns: int
    """By the camera's clock, from an unknown zero; may jump."""
    arrived_ns: int
    """CLOCK_MONOTONIC nanoseconds at which it reached this process."""


@runtime_checkable
class SoundSource(Protocol):
    """A camera that can give sound."""

    name: str

    def sound(self, silence_timeout: float = 5.0) -> Iterator[tuple[SoundFormat, SoundFrame]]:
        """Open the sound and yield its frames until it ends. Blocks up to `silence_timeout` seconds in the
        caller's thread. CameraError when it cannot be opened or breaks off, NoSoundError when there is none
        that can be recorded."""
        ...


def read_configuration(configuration: bytes) -> SoundFormat:
    """An AudioSpecificConfig taken apart. ValueError when it is none that is passed through: AAC-LC, alone or
    as the core of HE-AAC, with a channel configuration of its own.

    >>> read_configuration(bytes.fromhex("1408")).samples_per_second
    16000
    """
    bits = int.from_bytes(configuration)
    left = 8 * len(configuration)

    def take(count: int) -> int:
        nonlocal left
        left -= count
        if left < 0:
            raise ValueError("the AudioSpecificConfig ends early")
        return bits >> left & ((1 << count) - 1)

    def take_rate() -> int:
        index = take(4)
        rate = take(24) if index == 15 else _RATES[index] if index < len(_RATES) else 0
        if not _RATES[-1] <= rate <= _RATES[0]:
            raise ValueError(f"sampling frequency {rate}")
        return rate

    kind = take(5)
    rate, channels = take_rate(), take(4)
    if kind in (_WITH_SBR, _WITH_PS):
        take_rate()  # of the extension; the core's counts its frames
        kind = take(5)
    if kind != _LOW_COMPLEXITY:
        raise ValueError(f"audio object type {kind}, expected {_LOW_COMPLEXITY} (AAC-LC)")
    if not 1 <= channels <= 7:
        raise ValueError(f"channel configuration {channels}")
    return SoundFormat(configuration, rate, 8 if channels == 7 else channels, 960 if take(1) else 1024)
