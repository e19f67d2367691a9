"""What a clip is: a part of the recording with everything that proves it, apart from the rest and offline.

A clip is a folder, or a ZIP file of the same files, stored without compression:

- `README.txt`, `device-card.json`: what this is, and the public keys.
- `clip.json`: what belongs to the clip, bound by a checksum of its own, and by the record of the export.
- `export.jws`: the signed record `access.evidence-exported`, which names the hash of `clip.json`.
- of each segment touched `segments/RUN-SEQUENCE.mp4` (header and whole groups of pictures, byte for byte, so
  that it plays as it is), `.fragments` (32 bytes a fragment of the whole segment, entry 0 the header) and
  `.jws`, the signed record of the segment, whose `fragments_sha256` binds the list.

Pure: no database, no clock, no network; the exporter and the verifier meet here.
"""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

README, MANIFEST, CARD, EXPORT = "README.txt", "clip.json", "device-card.json", "export.jws"
SEGMENT_RECORD = "recording.segment-closed"
EXPORT_RECORD = "access.evidence-exported"
LARGEST_SMALL_FILE = 4 << 20
"""Bytes; a file of a clip other than video that claims more is none of ours."""

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Run = Annotated[
    str, StringConstraints(pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")
]
Count = Annotated[int, Field(ge=0, lt=1 << 62)]


class ManifestError(Exception):
    """`clip.json` is not what an exporter wrote."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class ClipSegment(_Part):
    """A segment's share of the clip. Fragments count from 1; 0 is the header, which is always there."""

    run: Run
    sequence: Count
    first_fragment: Annotated[int, Field(ge=1)]
    last_fragment: Annotated[int, Field(ge=1)]
    start_us: Count
    end_us: Count
    damaged: tuple[int, ...]
    """Fragments that were found damaged on the device when the clip was made."""

    @property
    def stem(self) -> str:
        return f"segments/{self.run}-{self.sequence:06d}"

    @property
    def names(self) -> tuple[str, str, str]:
        """Video, list of hashes, record."""
        return f"{self.stem}.mp4", f"{self.stem}.fragments", f"{self.stem}.jws"


class AbsentSegment(_Part):
    """Footage of the range that could not be put in."""

    run: Run
    sequence: Count
    reason: Literal["expired", "missing", "damaged"]


class ClipFile(_Part):
    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9./-]{1,100}$")]
    bytes: Count
    sha256: Sha256


class Manifest(_Part):
    """`clip.json`."""

    version: Literal[1] = 1
    source: Annotated[str, StringConstraints(max_length=200)]
    start_us: Count
    end_us: Count
    """What was asked for; the footage is whole groups of pictures around it."""
    segments: tuple[ClipSegment, ...]
    absent: tuple[AbsentSegment, ...]
    files: tuple[ClipFile, ...]
    """Every file but `clip.json` and `export.jws`, in the order of the clip."""

    def encode(self) -> bytes:
        """The bytes of `clip.json`: canonical, the checksum of the rest in front."""
        body = _canonical(self.model_dump(mode="json"))
        return _canonical({"checksum": hashlib.sha256(body).hexdigest(), "clip": json.loads(body)})


def read_manifest(content: bytes) -> Manifest:
    """The manifest in `content`. ManifestError when one byte is not as an exporter wrote it."""
    try:
        parsed = json.loads(content)
        manifest = Manifest.model_validate_json(json.dumps(parsed["clip"]))
    except (ValueError, KeyError, TypeError, RecursionError, ValidationError) as error:
        raise ManifestError(f"no manifest of a clip: {type(error).__name__}") from error
    if manifest.encode() != content:
        raise ManifestError("checksum or form are not those of an exporter")
    if any(segment.last_fragment < segment.first_fragment for segment in manifest.segments):
        raise ManifestError("a segment ends before it begins")
    # Else a stranger's video, listed beside the signed one, would count as part of a clip that verifies.
    due = [README, CARD, *(name for segment in manifest.segments for name in segment.names)]
    if not manifest.segments or len(due) != len(set(due)) or due != [file.name for file in manifest.files]:
        raise ManifestError("lists other files than its segments have")
    return manifest


def _canonical(value: Any) -> bytes:
    return (json.dumps(value, ensure_ascii=True, sort_keys=True, indent=1) + "\n").encode()


README_TEXT = """\
证据片段
========
这是一段教室录像，附带证明它未被改动的全部材料。segments 文件夹中的 .mp4 可直接播放。
核验（不需要网络，也不需要原来的录像文件）：
    classroom-agent verify --card 人社部门留存的设备卡.json 本文件夹或ZIP
不写 --card 时，使用片段自带的公钥：只能证明前后一致，不能证明出自哪台设备。
改动任何一个字节，核验都会指出是哪个文件的哪一段。
  clip.json         片段由哪些文件组成
  export.jws        导出时签名的记录：谁、何时、为何、clip.json 的哈希值（没有此文件时，核验会说明）
  device-card.json  设备的公钥
  *.mp4             文件头和完整的图像组，与设备上的录像逐字节相同
  *.fragments       整个录像分段的各段哈希值（每段 32 字节，第 0 段是文件头）
  *.jws             该录像分段的签名记录，其中 fragments_sha256 是上述列表的哈希值
录像中有人像，请依法保管。

Evidence clip
=============
A part of a classroom's recording with everything that proves it unaltered. The .mp4 files in the folder
"segments" play as they are. To verify, without a network and without the original files:
    classroom-agent verify --card CARD-THAT-HR-KEPT.json THIS-FOLDER-OR-ZIP
Without --card the clip's own public keys are used, which proves consistency, not origin.
Whichever byte is changed, verification names the file and the fragment.
  clip.json         which files belong to the clip
  export.jws        record signed at export: who, when, why, the hash of clip.json (if absent, it is said)
  device-card.json  public keys of the device
  *.mp4             header and whole groups of pictures, byte for byte as on the device
  *.fragments       hashes of all fragments of the segment (32 bytes each, entry 0 is the header)
  *.jws             signed record of the segment; its fragments_sha256 is the hash of that list
People can be seen in this video: keep it as the law demands.
""".encode()
