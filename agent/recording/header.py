"""What a segment file says of itself: the `uuid` boxes that we add to what libav writes.

The header box stands between `moov` and the first `moof` and makes the file self-describing: the index can
be rebuilt from files alone, and continuity is proven by identity, not by names. The seal box closes each
fragment with the SHA-256 of its `moof` and `mdat`, so that after a power cut recovery knows exactly which
fragments are whole, whatever the codec and however the tail was torn. Players skip both.
"""

from __future__ import annotations

import struct
from dataclasses import asdict, dataclass
from typing import Annotated, ClassVar, Self
from uuid import UUID

from pydantic import ConfigDict, Field

from agent import bmff
from agent.clock import ClockState
from agent.recording.checked import NOTHING_UNKNOWN, Identity, Instant, Sha256Hex, checked
from agent.recording.gaps import Gap
from drivers.cameras.base import Codec

HEADER_BOX = UUID("7a1c56e0-3f0d-4d0b-9a52-3c1a6e1f8b01")
SEAL_BOX = UUID("7a1c56e0-3f0d-4d0b-9a52-3c1a6e1f8b02")
HEADER_SCHEMA = 1


class HeaderError(Exception):
    """The header box is missing, damaged or of a schema that this program does not know."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where footage comes from; the same for every segment of a process."""

    __pydantic_config__: ClassVar[ConfigDict] = NOTHING_UNKNOWN

    institution: str
    room: str
    node: str
    camera: str
    driver: str
    simulated: bool
    """True when the pictures do not come from a live camera (I9)."""


@dataclass(frozen=True, slots=True)
class SegmentHeader:
    """The header box's content. `_us` UTC microseconds, `_ns` CLOCK_MONOTONIC of `boot_id`."""

    __pydantic_config__: ClassVar[ConfigDict] = NOTHING_UNKNOWN

    origin: Origin
    run: Identity
    sequence: Annotated[int, Field(ge=0, lt=1 << 31)]
    """Counts from 0 within the run."""
    codec: Codec
    width: Annotated[int, Field(ge=1, lt=1 << 16)]
    height: Annotated[int, Field(ge=1, lt=1 << 16)]
    ticks_per_second: Annotated[int, Field(ge=1, lt=1 << 32)]
    camera_dts: Annotated[int, Field(ge=-(1 << 62), lt=1 << 62)]
    """The camera's own decoding stamp, in ticks, at the run's tick 0: ties runs of one stream together."""
    boot_id: Identity
    monotonic_start_ns: Instant
    """Arrival of the segment's first packet."""
    wall_start_us: Instant
    clock_state: ClockState
    previous_segment_sha256: Sha256Hex | None
    """Hash of the camera's segment before this one, across runs; None for the very first."""
    gaps_before: tuple[Gap, ...]
    """Time without video between the run before and this one, in order; only in sequence 0."""
    written_by: str
    """Program and version that wrote the file."""

    def to_box(self) -> bytes:
        return bmff.json_uuid_box(HEADER_BOX, {"schema": HEADER_SCHEMA, **asdict(self)})

    @classmethod
    def from_payload(cls, payload: bytes) -> Self:
        """From the payload of a `uuid` box. HeaderError when it is not ours, of an unknown schema, or states
        what cannot be."""
        try:
            content = bmff.read_json_uuid(payload, HEADER_BOX)
        except bmff.BoxError as error:
            raise HeaderError(str(error)) from error
        if content is None or content.pop("schema", None) != HEADER_SCHEMA:
            raise HeaderError("no segment header of a schema that this program knows")
        try:
            return checked(cls, content)
        except ValueError as error:
            raise HeaderError(f"segment header: {error}") from error


def seal_box(digest: bytes) -> bytes:
    """The box that closes a fragment; `digest` is SHA-256 of its moof and mdat."""
    return struct.pack(">I4s16s", 24 + len(digest), b"uuid", SEAL_BOX.bytes) + digest


def sealed_digest(payload: bytes) -> bytes | None:
    """The digest in the payload of a seal box; None when it is another box's."""
    return payload[16:] if payload[:16] == SEAL_BOX.bytes and len(payload) == 16 + 32 else None
