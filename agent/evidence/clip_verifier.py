"""Judging a clip offline, without the rest of the recording: what is not as it was recorded is named.

Trust goes one way: key → record of the segment → list of fragment hashes → bytes of the video. `clip.json`
only says what belongs to the clip, and is itself bound by the record of the export.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from agent.evidence import jws
from agent.evidence.clip_files import (
    ContainerError,
    MappedBytes,
    check_container,
    files_of_folder,
    files_of_zip,
)
from agent.evidence.clip_format import (
    CARD,
    EXPORT,
    EXPORT_RECORD,
    LARGEST_SMALL_FILE,
    MANIFEST,
    SEGMENT_RECORD,
    ClipSegment,
    Manifest,
    ManifestError,
    read_manifest,
)
from agent.evidence.clip_fragments import BadPart, Fault, judge
from agent.evidence.device_card import CardError, DeviceCard, parse_device_card
from agent.evidence.record import Record, RecordError, read_record

CONTAINER = "ZIP"
_FAULTS: dict[Fault, tuple[str, str]] = {
    "altered": ("被改动", "was altered"),
    "missing": ("缺失", "is missing"),
    "added": ("之前多出数据", "has bytes added before it"),
    "moved": ("不在原来的位置", "is not in its place"),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it was recorded. `part` 0 is a video's header, n its n-th fragment in the
    segment; None for a file as a whole."""

    file: str
    part: int | None
    zh: str
    en: str

    def __str__(self) -> str:
        if self.part is None:
            return f"{self.file}：{self.zh} / {self.en}"
        zh, en = (
            ("文件头", "the header") if self.part == 0 else (f"第 {self.part} 段", f"fragment {self.part}")
        )
        return f"{self.file}：{zh}{self.zh} / {en} {self.en}"


@dataclass
class ClipVerdict:
    """What was found. Good is a clip without findings."""

    findings: list[Finding] = field(default_factory=list)
    manifest: Manifest | None = None
    fragments: int = 0
    """Fragments of video that are, byte for byte, as recorded."""
    simulated: bool = False
    is_export_signed: bool = False
    keys_from_outside: bool = False

    @property
    def good(self) -> bool:
        return not self.findings

    def name(self, file: str, zh: str, en: str, part: int | None = None) -> None:
        self.findings.append(Finding(file, part, zh, en))


def is_clip(path: Path) -> bool:
    """Whether `path` is to be judged as a clip: a folder with a manifest, or a ZIP file."""
    return (path / MANIFEST).is_file() if path.is_dir() else path.suffix.lower() == ".zip"


def verify_clip(path: Path, card: DeviceCard | None) -> ClipVerdict:
    """Judge the clip at `path`, by the keys of `card` (kept outside) or else by the clip's own. OSError."""
    verdict = ClipVerdict(keys_from_outside=card is not None)
    try:
        files = files_of_folder(path) if path.is_dir() else files_of_zip(path)
    except ContainerError as error:
        verdict.name(CONTAINER, "容器已损坏或被改动", f"the container was altered: {error}")
        return verdict
    _judge_files(verdict, files, card)
    if verdict.good and not path.is_dir():
        try:
            check_container(path, files)
        except ContainerError as error:
            verdict.name(CONTAINER, "容器被改动", f"the container was altered: {error}")
    return verdict


def _judge_files(verdict: ClipVerdict, files: Mapping[str, MappedBytes], card: DeviceCard | None) -> None:
    manifest = _manifest(verdict, files)
    if manifest is None:
        return
    verdict.manifest = manifest
    bad = _compare_files(verdict, manifest, files)
    own = None if CARD in bad else _own_card(verdict, files)
    believed = card or own
    if believed is None:
        return
    if own is not None and not _is_same_device(own, believed):
        verdict.name(CARD, "不是这台设备的设备卡", "is not the card of that device")
    keys = jws.public_keys(*(key.model_dump() for key in believed.signing_keys))
    if believed.source != manifest.source:
        verdict.name(MANIFEST, "出自另一台设备", f"names {manifest.source}, the card is of {believed.source}")
    if EXPORT in files:
        _judge_export(verdict, manifest, _small(files[EXPORT]), keys)
    for segment in manifest.segments:
        _judge_segment(verdict, manifest, segment, files, bad, keys)


def _manifest(verdict: ClipVerdict, files: Mapping[str, MappedBytes]) -> Manifest | None:
    if MANIFEST not in files:
        verdict.name(MANIFEST, "缺失", "is missing")
        return None
    try:
        return read_manifest(_small(files[MANIFEST]))
    except ManifestError as error:
        verdict.name(MANIFEST, "被改动", f"was altered: {error}")
        return None


def _compare_files(verdict: ClipVerdict, manifest: Manifest, files: Mapping[str, MappedBytes]) -> set[str]:
    """Names of the files that are missing or differ; video is left to its fragments."""
    videos = {segment.names[0] for segment in manifest.segments}
    due = {file.name: file for file in manifest.files}
    bad: set[str] = set()
    for name in sorted(due):
        if name not in files:
            verdict.name(name, "缺失", "is missing")
            bad.add(name)
        elif name not in videos and not _is(files[name], due[name].sha256):
            verdict.name(name, "被改动", "was altered")
            bad.add(name)
    for name in sorted(set(files) - set(due) - {MANIFEST, EXPORT}):
        verdict.name(name, "不属于此片段", "does not belong to the clip")
    return bad


def _is_same_device(own: DeviceCard, believed: DeviceCard) -> bool:
    """Of one device's cards the later one holds the keys of the earlier, and perhaps more."""
    mine, theirs = ({key.x for key in card.signing_keys} for card in (own, believed))
    return own.source == believed.source and (mine <= theirs or theirs <= mine)


def _own_card(verdict: ClipVerdict, files: Mapping[str, MappedBytes]) -> DeviceCard | None:
    try:
        return parse_device_card(_small(files[CARD]), CARD)
    except CardError as error:
        verdict.name(CARD, "不是有效的设备卡", f"is no device card: {error}")
        return None


def _judge_export(verdict: ClipVerdict, manifest: Manifest, content: bytes, keys: jws.PublicKeys) -> None:
    record = _record(verdict, EXPORT, content, keys)
    if record is None:
        return
    if record.kind != EXPORT_RECORD or record.event.source != manifest.source:
        verdict.name(EXPORT, "不是导出记录", f"is a record {record.kind} of {record.event.source}")
    elif record.event.data.fact.get("manifest_sha256") != hashlib.sha256(manifest.encode()).hexdigest():
        verdict.name(EXPORT, "属于另一个片段", "belongs to another clip, or clip.json was replaced")
    else:
        verdict.is_export_signed = True


def _judge_segment(
    verdict: ClipVerdict,
    manifest: Manifest,
    segment: ClipSegment,
    files: Mapping[str, MappedBytes],
    bad: set[str],
    keys: jws.PublicKeys,
) -> None:
    video, list_name, record_name = segment.names
    if record_name in bad or list_name in bad:
        return  # named already; without them nothing can be said of the video
    record = _record(verdict, record_name, _small(files[record_name]), keys)
    if record is None:
        return
    fact, hashes = record.event.data.fact, _small(files[list_name])
    if (
        record.kind != SEGMENT_RECORD
        or record.event.source != manifest.source
        or (fact.get("run"), fact.get("sequence")) != (segment.run, segment.sequence)
    ):
        verdict.name(record_name, "不是此分段的记录", "is not the record of this segment")
        return
    if hashlib.sha256(hashes).hexdigest() != fact.get("fragments_sha256"):
        verdict.name(list_name, "不是记录所签的列表", "is not the list that the record binds")
        return
    entries = [hashes[at : at + 32] for at in range(0, len(hashes), 32)]
    if segment.last_fragment >= len(entries):
        verdict.name(MANIFEST, "所列各段多于分段所有", "names more fragments than the segment has")
        return
    if not _is_in_time(manifest, segment, fact):
        verdict.name(
            MANIFEST,
            f"所列时间与 {record_name} 所签的不符",
            f"states other times than {record_name}, which is signed",
        )
    verdict.simulated |= record.event.data.simulated
    if video not in bad:
        _judge_video(verdict, segment, files[video], entries)


def _is_in_time(manifest: Manifest, segment: ClipSegment, fact: Mapping[str, object]) -> bool:
    """Whether the share lies within its segment as signed, and touches the time that was asked for: without
    the record of the export nothing else binds what `clip.json` says of time."""
    start_us, begin, end = (fact.get(key) for key in ("start_us", "start_ticks", "end_ticks"))
    per_second = fact.get("ticks_per_second")
    if not (
        isinstance(start_us, int)
        and isinstance(begin, int)
        and isinstance(end, int)
        and isinstance(per_second, int)
        and per_second > 0
    ):
        return False
    end_us = start_us + (end - begin) * 1_000_000 // per_second
    is_within = start_us <= segment.start_us <= segment.end_us <= end_us
    return is_within and segment.start_us < manifest.end_us and manifest.start_us < segment.end_us


def _judge_video(
    verdict: ClipVerdict, segment: ClipSegment, content: MappedBytes, hashes: list[bytes]
) -> None:
    found: list[BadPart] = judge(content, hashes, segment.first_fragment, segment.last_fragment)
    for bad in found:
        zh, en = _FAULTS[bad.fault]
        if bad.number in segment.damaged:
            zh, en = f"{zh}（导出时已损坏）", f"{en} (damaged already when the clip was made)"
        verdict.name(segment.names[0], zh, en, bad.number)
    lost = {bad.number for bad in found if bad.fault != "added" and bad.number}
    verdict.fragments += segment.last_fragment - segment.first_fragment + 1 - len(lost)


def _record(verdict: ClipVerdict, name: str, content: bytes, keys: jws.PublicKeys) -> Record | None:
    try:
        if not _is_canonical(content):
            raise RecordError("format", "base64url is not in its one form")
        return read_record(content, keys)
    except RecordError as error:
        verdict.name(name, "签名无效或记录被改动", f"is no valid record ({error})")
        return None


def _is_canonical(content: bytes) -> bool:
    """The last character of a base64url text has bits that no decoder looks at: they must be as an encoder
    sets them, or a changed byte would go unseen."""
    try:
        parts = [base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4)) for part in content.split(b".")]
    except ValueError:
        return False
    return b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts) == content


def _small(content: MappedBytes) -> bytes:
    return content.read(0, min(len(content), LARGEST_SMALL_FILE))


def _is(content: MappedBytes, sha256: str) -> bool:
    digest = hashlib.sha256()
    for piece in content.pieces():
        digest.update(piece)
    return digest.hexdigest() == sha256
