"""What a header states is checked before anything computes with it (I12)."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent import bmff
from agent.recording.gaps import Gap
from agent.recording.header import HEADER_BOX, HEADER_SCHEMA, HeaderError, Origin, SegmentHeader

pytestmark = pytest.mark.promise("I12")

RUN = "00000000-0000-4000-8000-00000000000a"
GAP = Gap(
    "00000000-0000-4000-8000-00000000000b", "rear", True, "power", 1, RUN, "synchronised", None, "", 2, RUN
)
HEADER = SegmentHeader(
    origin=Origin("school", "r101", "n1", "rear", "file", simulated=True),
    run=RUN,
    sequence=0,
    codec="h264",
    width=640,
    height=360,
    ticks_per_second=90_000,
    camera_dts=-5,
    boot_id=RUN,
    monotonic_start_ns=1,
    wall_start_us=2,
    clock_state="synchronised",
    previous_segment_sha256="0" * 64,
    gaps_before=(GAP,),
    written_by="test",
)


def read(**changed: Any) -> SegmentHeader:
    content = {"schema": HEADER_SCHEMA, **asdict(HEADER), **changed}
    return SegmentHeader.from_payload(bmff.json_uuid_box(HEADER_BOX, content)[8:])


def test_what_was_written_is_read_back() -> None:
    assert read() == HEADER


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("ticks_per_second", 0),
        ("ticks_per_second", 1.5),
        ("ticks_per_second", "90000"),
        ("width", True),
        ("sequence", -1),
        ("run", "../../etc"),
        ("run", RUN + "\n"),
        ("wall_start_us", 1 << 63),
        ("clock_state", "certain"),
        ("previous_segment_sha256", "zz"),
        ("origin", {"institution": "school"}),
        ("origin", None),
        ("gaps_before", [{}]),
        ("gaps_before", [asdict(GAP) | {"reason": "no-such-reason"}]),
        ("gaps_before", [asdict(GAP) | {"start_us": 1 << 63}]),
        ("surprise", 1),
    ],
)
def test_what_cannot_be_is_refused_and_named(field: str, value: object) -> None:
    with pytest.raises(HeaderError, match=field):
        read(**{field: value})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(field=st.sampled_from(sorted(asdict(HEADER))), value=json_values)
def test_any_value_is_taken_or_refused(field: str, value: object) -> None:
    try:
        header = read(**{field: value})
    except HeaderError:
        return
    assert header.ticks_per_second >= 1


def test_a_header_nested_beyond_all_measure_is_refused() -> None:
    with pytest.raises(HeaderError):
        SegmentHeader.from_payload(HEADER_BOX.bytes + b"[" * 200_000)
