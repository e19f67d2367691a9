"""Cutting a clip: which parts of which segment files, and everything that proves them.

Its form stands in agent/evidence/clip_format.py. It holds whole groups of pictures around the range asked
for, from segments that are closed and signed. What cannot be put in (expired, gone, damaged) is named in the
clip, never left out in silence.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.errors import BilingualError
from agent.evidence.clip_files import LARGEST_MEMBER, Member
from agent.evidence.clip_format import (
    CARD,
    MANIFEST,
    README,
    README_TEXT,
    AbsentSegment,
    ClipFile,
    ClipSegment,
    Manifest,
)
from agent.evidence.device_card import DeviceCard
from agent.recording.growing import OutsideError, inside
from agent.recording.pieces import PlayableSegment
from agent.recording.playback import Recorded, recorded_between
from agent.recording.scan import NotASegmentError, Part, scan_segment
from agent.store.clips import SegmentEvidence, segment_evidence
from agent.store.database import Store
from agent.store.footage import LONGEST_SEGMENT_US

PIECE = 1 << 20
LONGEST_US = 24 * 3_600_000_000
MOST_SEGMENTS = 1000
"""What one record can name and one `clip.json` can hold."""


class ClipError(BilingualError):
    """No clip can be made of this range; the message says why and what to do."""


class NotReadyError(ClipError):
    """Not yet: a segment of the range is still being written or waits for its signature."""


@dataclass(frozen=True, slots=True)
class Cut:
    """A segment's share: header and media as byte ranges of the file at `path`."""

    segment: ClipSegment
    path: Path
    ranges: tuple[tuple[int, int], ...]
    evidence: SegmentEvidence

    @property
    def size(self) -> int:
        return sum(end - start for start, end in self.ranges)

    def pieces(self) -> Iterator[bytes]:
        """The bytes of the clip's video. OSError; ClipError when the file became shorter meanwhile."""
        with self.path.open("rb") as file:
            for start, end in self.ranges:
                while start < end:
                    piece = os.pread(file.fileno(), min(PIECE, end - start), start)
                    if not piece:
                        raise ClipError(f"{self.path.name} 变短了", f"{self.path.name} became shorter")
                    start += len(piece)
                    yield piece


@dataclass(frozen=True, slots=True)
class Clip:
    """A clip, ready to be written: what it says of itself, and its files without the record of the export."""

    manifest: Manifest
    members: tuple[Member, ...]
    cuts: tuple[Cut, ...]
    simulated: bool

    @property
    def manifest_sha256(self) -> str:
        return hashlib.sha256(self.manifest.encode()).hexdigest()

    def fact(self, account: str, reason: str, note: str) -> dict[str, object]:
        """Data of the fact `access.evidence-exported`."""
        return {
            "account": account,
            "what": "clip",
            "start_us": self.manifest.start_us,
            "end_us": self.manifest.end_us,
            "reason": reason,
            "note": note,
            "manifest_sha256": self.manifest_sha256,
            "segments": [
                {
                    "run": cut.segment.run,
                    "sequence": cut.segment.sequence,
                    "first_fragment": cut.segment.first_fragment,
                    "last_fragment": cut.segment.last_fragment,
                    "sha256": cut.evidence.sha256.hex(),
                }
                for cut in self.cuts
            ],
        }


@dataclass(frozen=True, slots=True)
class Material:
    """What the database gives for a clip; files are read afterwards, without it."""

    recorded: Recorded
    evidence: dict[tuple[str, int], SegmentEvidence]
    simulated: bool


def gather(
    store: Store, video: Path, camera: str, growing: Sequence[PlayableSegment], start_us: int, end_us: int
) -> Material:
    """What is known of [start_us, end_us). NotReadyError; ClipError: nothing was recorded, or too much."""
    if end_us - start_us > LONGEST_US:
        raise ClipError("一个片段最长 24 小时：请分段导出", "a clip is 24 hours at most: export it in parts")
    _check_indexed(store, growing, start_us, end_us)
    recorded = recorded_between(store, video, camera, growing, start_us, end_us)
    if not recorded.segments and not recorded.absent:
        raise ClipError(
            "这段时间没有录像：请核对日期和时间", "nothing was recorded in this time: check date and time"
        )
    if len(recorded.segments) + len(recorded.absent) > MOST_SEGMENTS:
        raise ClipError(
            f"一个片段最多 {MOST_SEGMENTS} 个录像分段：请缩短时间，分段导出",
            f"a clip holds {MOST_SEGMENTS} segments at most: export it in shorter parts",
        )
    evidence = {}
    for segment in recorded.segments:
        found = segment_evidence(store, *segment.key)
        if found is None:
            raise NotReadyError(
                "所选时间的最后一段录像还在写入，写完（最多一个分段的时长）后才能作为证据导出",
                "the last segment of this time is still being written; it can be exported as evidence "
                "when it is closed, after one segment's length at most",
            )
        if found.record is None:
            raise NotReadyError(
                "录像分段的记录尚未签名；如持续如此，请检查 ledger 角色是否在运行",
                "a segment's record is not signed yet; if that lasts, check that the ledger role is running",
            )
        evidence[segment.key] = found
    rows = store.rows(
        f"SELECT 1 FROM run WHERE simulated AND id IN ({','.join('?' * len(evidence))}) LIMIT 1",  # noqa: S608
        [run for run, _ in evidence],
    )
    return Material(recorded, evidence, bool(rows))


def _check_indexed(store: Store, growing: Sequence[PlayableSegment], start_us: int, end_us: int) -> None:
    """NotReadyError while the file before the growing one is closed and not in the index yet: a clip made now
    would be without it and not say so."""
    shown = {segment.key for segment in growing}
    for segment in growing:
        before = (segment.run_id, segment.sequence - 1)
        is_near = start_us < segment.start_us < end_us + LONGEST_SEGMENT_US
        if is_near and before[1] >= 0 and before not in shown and segment_evidence(store, *before) is None:
            raise NotReadyError(
                "刚写完的录像分段还未登记，请稍候再导出；如持续如此，请检查 recorder 角色和数据库",
                "the segment just closed is not in the index yet, export it in a moment; if that lasts, "
                "check the recorder role and the database",
            )


def check_zip(clip: Clip) -> None:
    """ClipError when a file of the clip is too large for a ZIP file of our form."""
    if any(member.size > LARGEST_MEMBER for member in clip.members):
        raise ClipError(
            "录像分段太大，放不进 ZIP：请在设备控制台用 clip 命令导出为文件夹",
            "a segment is too large for a ZIP file: export a folder with the command clip at the device",
        )


def make_clip(video: Path, material: Material, card: DeviceCard, start_us: int, end_us: int) -> Clip:
    """Read the files and lay the clip out. OSError; ClipError when no segment of the range is readable."""
    absent = [
        AbsentSegment(run=a.run_id, sequence=a.sequence, reason=a.reason) for a in material.recorded.absent
    ]
    cuts: list[Cut] = []
    for segment in material.recorded.segments:
        cut = _cut(video, segment, material.evidence[segment.key])
        if cut is None:
            absent.append(AbsentSegment(run=segment.run_id, sequence=segment.sequence, reason="damaged"))
        else:
            cuts.append(cut)
    if not cuts:
        reasons = ", ".join(sorted({a.reason for a in absent}))
        raise ClipError(
            f"这段时间的录像都无法导出（{reasons}）", f"no footage of this time can be exported ({reasons})"
        )
    public = card.model_copy(update={"hr": None, "agreement_key": None})
    members = [
        _member(README, README_TEXT),
        _member(CARD, public.model_dump_json(indent=2).encode() + b"\n"),
    ]
    for cut in cuts:
        video_name, list_name, record_name = cut.segment.names
        members += [
            Member(video_name, cut.size, cut.pieces),
            _member(list_name, cut.evidence.fragments),
            _member(record_name, cut.evidence.record or b""),
        ]
    manifest = Manifest(
        source=card.source,
        start_us=start_us,
        end_us=end_us,
        segments=tuple(cut.segment for cut in cuts),
        absent=tuple(absent),
        files=tuple(ClipFile(name=m.name, bytes=m.size, sha256=_sha256(m)) for m in members),
    )
    return Clip(manifest, (_member(MANIFEST, manifest.encode()), *members), tuple(cuts), material.simulated)


def _member(name: str, content: bytes) -> Member:
    return Member(name, len(content), lambda: iter((content,)))


def _sha256(member: Member) -> str:
    digest = hashlib.sha256()
    for piece in member.pieces():
        digest.update(piece)
    return digest.hexdigest()


def _cut(video: Path, segment: PlayableSegment, evidence: SegmentEvidence) -> Cut | None:
    """The share of one segment; None when its header or everything wanted of it is damaged."""
    try:
        path = inside(video, segment.path)
        parts = scan_segment(path).parts
    except (NotASegmentError, OSError, OutsideError):
        return None
    entries = [evidence.fragments[at : at + 32] for at in range(0, len(evidence.fragments), 32)]
    numbers = {digest: number for number, digest in enumerate(entries)}
    if numbers.get(parts[0].sha256) != 0:
        return None
    start, end = segment.byte_range
    first, last = _numbers(parts, numbers, start, end, len(entries))
    good = {numbers[p.sha256] for p in parts if start <= p.start < end and p.sha256 in numbers}
    if not good:
        return None
    share = ClipSegment(
        run=segment.run_id,
        sequence=segment.sequence,
        first_fragment=first,
        last_fragment=last,
        start_us=segment.from_us,
        end_us=segment.until_us,
        damaged=tuple(sorted(set(range(first, last + 1)) - good)),
    )
    return Cut(share, path, ((0, parts[0].end), (start, end)), evidence)


def _numbers(
    parts: Sequence[Part], numbers: dict[bytes, int], start: int, end: int, count: int
) -> tuple[int, int]:
    """(first, last) fragment within bytes [start, end). Where the outermost one is damaged it is counted from
    the nearest whole part outside, because of a damaged stretch nobody can say how many fragments it was."""
    known = [(part, numbers[part.sha256]) for part in parts if part.sha256 in numbers]
    first = next((number for part, number in known if part.start == start), None)
    last = next((number for part, number in known if part.end == end), None)
    before = [number for part, number in known if part.end <= start]
    behind = [number for part, number in known if part.start >= end]
    if first is None:
        first = before[-1] + 1 if before else 1
    if last is None:
        last = behind[0] - 1 if behind else count - 1
    return first, last
