"""Sound for the recorder's tests: silence, a microphone that the test drives, what stands in a file."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import av

from agent import bmff
from agent.recording.scan import scan_segment
from drivers.cameras.sound import SoundFormat, SoundFrame, read_configuration
from tests.clocks import ManualClock
from tests.recording.rig import Rig

FILM_S, TONE_EVERY_S, TONE_S = 60, 7, 0.5
FRAME_NS = 64_000_000


def _silence() -> tuple[SoundFormat, bytes]:
    """A real AAC frame of silence, 16 kHz, one channel."""
    encoder = av.CodecContext.create("aac", "w")
    assert isinstance(encoder, av.AudioCodecContext)
    encoder.sample_rate, encoder.layout, encoder.format = 16000, "mono", "fltp"
    frame = av.AudioFrame(format="fltp", layout="mono", samples=1024)
    frame.sample_rate = 16000
    frame.planes[0].update(bytes(4096))
    frames = [bytes(packet) for _ in range(4) for packet in encoder.encode(frame)]
    return read_configuration(bytes(encoder.extradata or b"")), frames[-1]


FORMAT, SILENCE = _silence()


class Microphone:
    """A camera's sound as the recorder sees it, driven by the test."""

    def __init__(self, clock: ManualClock) -> None:
        self.format: SoundFormat | None = None
        self.is_wanted = False
        self._clock = clock
        self._frames: list[SoundFrame] = []
        self.media_ns = 0

    def want(self, wanted: bool) -> None:
        self.is_wanted = wanted
        if not wanted:
            self._frames.clear()

    def take(self, wanted: SoundFormat) -> list[SoundFrame]:
        frames, self._frames = self._frames, []
        return frames if wanted == self.format else []

    def hear(self, seconds: float, *, late_s: float = 0.0) -> None:
        """The sound of the last `seconds` up to now."""
        count = round(seconds * 1e9 / FRAME_NS)
        for number in range(count):
            arrived_ns = self._clock.monotonic_ns - (count - 1 - number) * FRAME_NS + round(late_s * 1e9)
            self._frames.append(SoundFrame(SILENCE, self.media_ns, arrived_ns))
            self.media_ns += FRAME_NS


def streams(path: Path) -> list[str]:
    command = ["ffprobe", "-v", "error", "-show_entries", "stream=codec_type", "-of", "csv=p=0", str(path)]
    probed = subprocess.run(command, capture_output=True, check=True, text=True)
    assert probed.stderr == ""
    return probed.stdout.split()


def sound_times(path: Path) -> list[tuple[float, float]]:
    """(begin, end) of every AAC frame in seconds of the run, by libav."""
    with av.open(str(path)) as container:
        return [
            (float(p.pts * p.time_base), float((p.pts + p.duration) * p.time_base))
            for p in container.demux(audio=0)
            if p.size and p.pts is not None and p.duration is not None
        ]


def scan_samples(path: Path) -> list[bmff.Sample]:
    return [sample for fragment in scan_segment(path).fragments for sample in fragment.samples]


def plan_with_sound(rig: Rig, *, wanted: bool | None) -> None:
    """A lesson is on; `wanted` None: the plan says nothing of sound."""
    rig.plan((-60, 3000))
    content = json.loads(rig.paths.recording_plan.read_text(encoding="utf-8"))
    if wanted is not None:
        content["audio"] = wanted
    rig.paths.recording_plan.write_text(json.dumps(content), encoding="utf-8")


def play(rig: Rig, microphone: Microphone, seconds: float) -> None:
    """Pictures with their sound, half a second at a time."""
    for _ in range(round(seconds * 2)):
        rig.play(0.5)
        if microphone.is_wanted and microphone.format:
            microphone.hear(0.512)
