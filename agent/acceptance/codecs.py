"""Can what the camera encodes be recorded as it is, and played where it will be watched?

Profiles by ITU-T H.264 annex A and H.265 annex A, from the parameter sets that came with the stream (avcC and
hvcC: ISO/IEC 14496-15, 5.3.3 and 8.3.3).
"""

from __future__ import annotations

from agent.acceptance.findings import Finding, Verdict
from agent.acceptance.titles import TITLES
from agent.settings import CameraRole
from drivers.cameras.base import StreamInfo
from drivers.cameras.bitstream import is_annex_b, nal_type, nal_units

_H264 = {66: "Baseline", 77: "Main", 88: "Extended", 100: "High", 110: "High 10", 122: "High 4:2:2"}
_H264 |= {244: "High 4:4:4 Predictive", 44: "CAVLC 4:4:4 Intra"}
_HEVC = {1: "Main", 2: "Main 10", 3: "Main Still Picture", 4: "Range Extensions"}
_PLAYED = {"h264": (66, 77, 100), "hevc": (1,)}
_SPS = {"h264": 7, "hevc": 33}


def profile_of(stream: StreamInfo) -> int | None:
    """`profile_idc` (H.264) or `general_profile_idc` (H.265); None when the parameter sets do not say."""
    extradata = stream.extradata
    if not is_annex_b(extradata):
        if len(extradata) < 2:
            return None
        return extradata[1] if stream.codec == "h264" else extradata[1] & 0x1F
    for unit in nal_units(extradata):
        if nal_type(unit, stream.codec) == _SPS[stream.codec]:
            place = 1 if stream.codec == "h264" else 3
            if len(unit) > place:
                return unit[place] if stream.codec == "h264" else unit[place] & 0x1F
    return None


def judge_codec(name: CameraRole, stream: StreamInfo) -> Finding:
    """Codec and profile: `bad` for what browsers and inspectors' players do not show, `warning` for what many
    do not."""
    zh, en = TITLES[name]
    profile = profile_of(stream)
    names = _H264 if stream.codec == "h264" else _HEVC
    label = "H.264" if stream.codec == "h264" else "H.265"
    if profile is not None:
        label += f" {names.get(profile, profile)}"
    verdict: Verdict = "good"
    remedy = ("", "")
    if profile not in _PLAYED[stream.codec]:
        verdict = "bad"
        remedy = (
            "请在摄像头网页把编码设为 H.264，档次（Profile）设为 Main 或 High，8 位、4:2:0；"
            "现在的格式浏览器放不出来",
            "set the camera to H.264, profile Main or High, 8 bit, 4:2:0; browsers do not play what it "
            "sends now",
        )
    elif stream.codec == "hevc":
        verdict = "warning"
        remedy = (
            "照原样录像没有问题，但不少电脑的浏览器放不出 H.265；检查人员要在网页上回看，宜设为 H.264",
            "it is recorded as it is, but browsers on many computers do not play H.265; set it to H.264 so "
            "that inspectors can watch it on the page",
        )
    measured = {"codec": stream.codec, "profile": profile}
    return Finding(f"camera.{name}.codec", verdict, f"{zh}编码 {label}", f"{en}: {label}", remedy, measured)
