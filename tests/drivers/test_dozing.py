"""At rest only key frames are decoded, as long as the packets weigh what they always do; nobody is missed."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from drivers.cameras.base import BGRImage, GreyImage, Packet
from drivers.cameras.decoder import Decoder
from drivers.cameras.dozing import DISTRUST_NS, KNOWN_GROUPS
from drivers.cameras.pictures import brightness_of
from tests.drivers.test_decoding import packets_of

FPS, GOP = 20, 20
STEP_NS = 1_000_000_000 // FPS
WIDTH, HEIGHT = 640, 360
QUIET = (KNOWN_GROUPS + 2) * GOP
"""Pictures after which a stream that was quiet from the start is dozed through."""
STEPS_IN = QUIET + GOP + 7
"""Somebody does, in the middle of a group."""
STILL = range(1_000_000)


def doorway(number: int, comes_at: int | None) -> BGRImage:
    """A sensor's noise, and from `comes_at` on somebody who walks."""
    noise = np.random.default_rng(number).normal(0, 2.0, (HEIGHT, WIDTH, 1))
    picture = np.full((HEIGHT, WIDTH, 3), 120.0) + noise
    if comes_at is not None and number >= comes_at:
        left = 40 + 8 * (number - comes_at)
        coat = np.random.default_rng(1).integers(0, 255, (200, 80, 3))
        picture[100:300, left : left + 80] = coat[:, : max(0, WIDTH - left)]
    return np.asarray(picture.clip(0, 255), np.uint8)


def encoded(out: Path, pictures: Iterator[BGRImage], codec: str = "libx264", **options: str) -> Path:
    with av.open(str(out), "w") as container:
        stream = container.add_stream(codec, rate=FPS)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.gop_size, stream.max_b_frames = GOP, 0
        stream.options = {"preset": "veryfast", "sc_threshold": "0", "threads": "1", **options}
        for number, image in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(image, format="bgr24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return out


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return encoded(
        tmp_path_factory.mktemp("doze") / "empty.mp4", (doorway(n, None) for n in range(QUIET + 40))
    )


@pytest.fixture(scope="module")
def visited(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("doze") / "visited.mp4"
    return encoded(out, (doorway(n, STEPS_IN) for n in range(STEPS_IN + GOP)))


@pytest.fixture(scope="module")
def constant(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """At a constant bit rate, filled up: a packet weighs the same whatever happens."""
    out = tmp_path_factory.mktemp("doze") / "constant.mp4"
    rate = {"b": "4M", "minrate": "4M", "maxrate": "4M", "bufsize": "400k", "nal-hrd": "cbr"}
    pictures = (doorway(n, STEPS_IN) for n in range(STEPS_IN + 5 * GOP))
    return encoded(out, pictures, **rate)


def seen(path: Path, is_at_rest: Callable[[int], bool]) -> dict[int, GreyImage]:
    """Brightness of the picture that came with each packet, where one did."""
    stream, packets = packets_of(path)
    decoder = Decoder(stream)
    found = {}
    for number, packet in enumerate(packets):
        packet = replace(packet, arrived_ns=number * STEP_NS)
        for picture in decoder.decode(packet, is_wanted=True, is_at_rest=is_at_rest(number)):
            found[number] = brightness_of(picture)().copy()
    return found


def test_an_empty_doorway_is_seen_by_its_key_frames(empty: Path) -> None:
    numbers = list(seen(empty, lambda number: True))
    last_whole = max(b for a, b in itertools.pairwise(numbers) if b == a + 1)
    assert last_whole < QUIET
    assert [number for number in numbers if number > QUIET] == [
        number for number in range(QUIET + 1, QUIET + 40) if number % GOP == 0
    ]


def test_whoever_steps_in_is_seen_with_the_first_picture_that_shows_them(visited: Path) -> None:
    """The watcher rests until it has seen them; from then on every picture comes, and exact."""
    found = seen(visited, lambda number: number <= STEPS_IN)
    exact = seen(visited, lambda number: False)
    assert STEPS_IN - 1 not in found, "dozed until then"
    assert [number for number in found if number >= STEPS_IN] == list(range(STEPS_IN, STEPS_IN + GOP))
    assert all(np.array_equal(found[number], exact[number]) for number in found if number >= STEPS_IN)


def test_where_the_weight_tells_nothing_it_is_believed_once(constant: Path) -> None:
    """A key frame shows them; the watcher wakes, rests again, and nothing is dozed through any more."""
    shown = (STEPS_IN // GOP + 1) * GOP
    found = seen(constant, lambda number: not shown < number <= shown + 3)
    assert STEPS_IN not in found and shown in found, "or this camera's packets tell after all"
    assert [number for number in found if number > shown] == list(range(shown + 1, STEPS_IN + 5 * GOP))


def quiet_groups(decoder: Decoder, group: list[Packet], first: int, many: int) -> list[int]:
    """How many pictures came of each of so many repetitions of one group, the watcher at rest."""
    came = []
    for number in range(first, first + many):
        each = [
            replace(p, arrived_ns=(number * len(group) + place) * STEP_NS) for place, p in enumerate(group)
        ]
        came.append(sum(len(decoder.decode(p, is_wanted=True, is_at_rest=True)) for p in each))
    return came


def test_three_quiet_groups_must_be_known_and_after_a_disturbance_three_others(empty: Path) -> None:
    stream, packets = packets_of(empty)
    group = packets[:GOP]
    decoder = Decoder(stream)
    assert quiet_groups(decoder, group, 0, 6) == [GOP] * KNOWN_GROUPS + [1] * (6 - KNOWN_GROUPS)
    disturbed = replace(group[0], arrived_ns=6 * GOP * STEP_NS)
    decoder.decode(disturbed, is_wanted=True, is_at_rest=False)
    again = quiet_groups(decoder, group, 7, 6)
    assert again[:KNOWN_GROUPS] == [GOP] * KNOWN_GROUPS and again[-1] == 1


def test_a_watcher_that_looks_away_or_begins_anew_is_no_sign_that_anything_happened(empty: Path) -> None:
    """A lesson ends while the doorway is dozed through, or the watcher cannot tell yet what is usual."""
    stream, packets = packets_of(empty)
    group = packets[:GOP]
    decoder = Decoder(stream)
    assert quiet_groups(decoder, group, 0, 5)[-1] == 1
    key_frame, *after = (replace(p, arrived_ns=(5 * GOP + n) * STEP_NS) for n, p in enumerate(group))
    decoder.decode(key_frame, is_wanted=True, is_at_rest=True)
    came = [len(decoder.decode(packet, is_wanted=True, is_at_rest=None)) for packet in after]
    assert came == [1] * (GOP - 1), "every picture comes meanwhile"
    assert quiet_groups(decoder, group, 6, 6)[-1] == 1


def test_distrust_ends_after_an_hour(empty: Path) -> None:
    stream, packets = packets_of(empty)
    group = packets[:GOP]
    decoder = Decoder(stream)
    assert quiet_groups(decoder, group, 0, 5)[-1] == 1
    key_frame, after = (replace(group[n], arrived_ns=(5 * GOP + n) * STEP_NS) for n in range(2))
    decoder.decode(key_frame, is_wanted=True, is_at_rest=True)
    decoder.decode(after, is_wanted=True, is_at_rest=False)  # a picture woke the watcher, no packet
    an_hour = DISTRUST_NS // (GOP * STEP_NS)
    assert quiet_groups(decoder, group, 10, 8) == [GOP] * 8
    assert quiet_groups(decoder, group, 10 + an_hour, 6)[-1] == 1


def test_a_stream_with_rare_key_frames_is_never_dozed_through(tmp_path: Path) -> None:
    out = encoded(tmp_path / "slow.mp4", (doorway(n, None) for n in range(GOP)))
    stream, packets = packets_of(out)
    decoder = Decoder(stream)
    slow = [replace(packet, arrived_ns=0) for packet in packets]
    for number in range(6 * GOP):
        packet = replace(slow[number % GOP], arrived_ns=number * 2 * STEP_NS)  # a group lasts two seconds
        assert len(decoder.decode(packet, is_wanted=True, is_at_rest=True)) == 1


def test_a_camera_that_slows_down_is_not_dozed_through(empty: Path) -> None:
    """At dusk a slow shutter makes fewer pictures a second: its key frame is overdue."""
    stream, packets = packets_of(empty)
    group = packets[:GOP]
    decoder = Decoder(stream)
    assert quiet_groups(decoder, group, 0, 5)[-1] == 1
    came = []
    for place, packet in enumerate(group):
        slow = replace(packet, arrived_ns=(5 * GOP + 5 * place) * STEP_NS)
        came.append(len(decoder.decode(slow, is_wanted=True, is_at_rest=True)))
    assert came[0] == 1 and sum(came[1:5]) == 0 and came[5:] == [1] * (GOP - 5)


def test_after_a_damaged_key_frame_nothing_is_dozed_through(empty: Path) -> None:
    stream, packets = packets_of(empty)
    group = packets[:GOP]
    decoder = Decoder(stream)
    assert quiet_groups(decoder, group, 0, 5)[-1] == 1
    broken = replace(group[0], data=group[0].data[:60] + bytes(400), arrived_ns=5 * GOP * STEP_NS)
    with contextlib.suppress(av.InvalidDataError):
        decoder.decode(broken, is_wanted=True, is_at_rest=True)
    assert not decoder.is_dozing


def test_where_a_key_frame_may_be_referred_past_nothing_is_dozed_through(tmp_path: Path) -> None:
    """H.265 that begins each group anew for five groups, and then with pictures that open groups begin with:
    nothing could be decoded again from those."""
    x265 = {"preset": "ultrafast"}
    x265 |= {"x265-params": f"open-gop=1:scenecut=0:bframes=0:keyint={GOP}:min-keyint={GOP}:log-level=none"}
    packets: list[Packet] = []
    for number, length in enumerate((GOP, GOP, GOP, GOP, GOP, 3 * GOP)):
        first = number * GOP
        out = tmp_path / f"{number}.mp4"
        pictures = (doorway(first + n, None) for n in range(length))
        stream, part = packets_of(encoded(out, pictures, codec="libx265", **x265))
        packets += part
    wakes, decoder, came = 7 * GOP - 7, Decoder(stream), []
    for number, packet in enumerate(packets):
        packet = replace(packet, pts=number, dts=number, arrived_ns=number * STEP_NS)
        came.append(len(decoder.decode(packet, is_wanted=True, is_at_rest=number < wakes)))
    assert sum(came[4 * GOP : 5 * GOP]) == 1, "dozed while groups began anew"
    assert came[6 * GOP :] == [1] * (len(packets) - 6 * GOP), "no picture is lost at waking"
