"""What is wrong with the recording's camera and picture, and what to do about it, in words for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from agent.web.locale import N_, Words

Level = Literal["bad", "warn"]

PROBLEMS = {
    "few_key_frames": N_(
        "摄像头关键帧间隔 %(interval)s 秒：请在摄像头网页把 I 帧间隔设为 2 秒，并关闭“智能编码”。"
    ),
    "low_frame_rate": N_("摄像头每秒只有 %(fps)s 帧：请在摄像头网页把帧率设为 15 以上。"),
    "uneven_frame_rate": N_("摄像头丢帧，每秒只到 %(fps)s 帧：请检查网线、交换机和摄像头负荷。"),
    "late_frames": N_("画面到得太晚（%(late)s 帧）：请检查网络，摄像头宜用网线直连。"),
    "stalls": N_("画面停顿，最长 %(pause)s 秒：请检查网线、交换机和摄像头供电。"),
    "low_bitrate": N_("码率只有 %(kbit)s kbit/s，画面可能看不清：请在摄像头网页调高码率。"),
    "clock_drift": N_("摄像头时钟每小时差 %(drift)s 秒：请在摄像头网页设置校时。"),
    "small_picture": N_("画面只有 %(width)s 像素宽，难以看清全体学员：请在摄像头网页调高分辨率。"),
}
TAMPER = {
    "covered": N_("摄像头被遮挡：请移开遮挡物。遮挡期间的录像不能证明学员在场。"),
    "moved": N_("摄像头被移动：请按验收时的画面复位，或重新标定。"),
    "out_of_focus": N_("录像画面模糊：请擦净镜头并重新对焦。"),
    "frozen": N_("录像画面静止不动：请重启摄像头，并查看它的画面。"),
    "replayed": N_("录像画面在重播以前的内容：摄像头送来的不是现场画面，请检查摄像头和线路。"),
    "blinded": N_("摄像头被强光照射：请移开光源。"),
    "dark": N_("录像画面全黑：请取下镜头盖，检查灯光和摄像头。"),
}
STATES = {"good": N_("良好"), "degraded": N_("有问题"), "bad": N_("须处理")}
STATE_LEVELS = {"good": "good", "degraded": "warn", "bad": "bad"}


def camera_alerts(
    recorder: Mapping[str, Any], watch: Mapping[str, Any], words: Words
) -> Iterator[tuple[Level, str]]:
    """(level, text) by the details of the recorder's and the watcher's status; whatever they lack is no
    alert."""
    camera = recorder.get("camera")
    if isinstance(camera, dict):
        level: Level = "bad" if camera.get("state") == "bad" else "warn"
        for problem in problems(camera, words):
            yield level, problem
    picture = watch.get("picture")
    if isinstance(picture, str) and picture in TAMPER:
        yield "bad", words.gettext(TAMPER[picture])


def problems(camera: Mapping[str, Any], words: Words) -> Iterator[str]:
    """Each problem of a camera with its measure and its remedy."""
    measured = camera.get("measured")
    if not isinstance(measured, dict):
        return
    values = {
        "interval": _number(measured, "key_frame_interval_s", 1),
        "fps": _number(measured, "frames_per_second", 1),
        "late": _number(measured, "late_frames", 0),
        "pause": _number(measured, "longest_pause_s", 1),
        "kbit": _number(measured, "kbit_per_second", 0),
        "drift": f"{abs(float(measured.get('drift_ppm') or 0)) * 0.0036:.1f}",
        "width": _number(measured, "width", 0),
    }
    for name in camera.get("problems") or ():
        if name in PROBLEMS:
            yield words.gettext(PROBLEMS[name]) % values


def _number(measured: Mapping[str, Any], key: str, digits: int) -> str:
    value = measured.get(key)
    return f"{value:.{digits}f}" if isinstance(value, int | float) else "?"
