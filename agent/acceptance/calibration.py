"""Is the head count fitted to this room, is there a view to hold the camera against, what does it not see?"""

from __future__ import annotations

from collections.abc import Iterator

from agent.acceptance.findings import Finding
from agent.store import calibration, tamper
from agent.store.database import Store
from agent.store.tamper import TamperKind
from agent.visibility.calibrating import share_of

LARGEST_BLIND = 0.05
"""Share of the picture, where people may sit; more is worth knowing before a class depends on it."""
TAMPERED: dict[TamperKind, tuple[str, str]] = {
    "covered": ("摄像头被遮挡", "the camera is covered"),
    "moved": ("摄像头被移动，标定失效", "the camera was moved: its calibration is void"),
    "out_of_focus": ("画面模糊", "the picture is out of focus"),
    "frozen": ("画面静止不动", "the picture is frozen"),
    "replayed": ("画面在重播", "the picture shows the past again"),
    "blinded": ("摄像头被强光照射", "the camera is blinded"),
    "dark": ("画面全黑", "the picture is dark"),
}


def check_calibration(store: Store, room: str) -> Iterator[Finding]:
    """What was fitted, and what is missing of it."""
    lasts = tamper.lasting(store, room)
    if lasts is not None:
        zh, en = TAMPERED[lasts.kind]
        yield Finding(
            "visibility.camera",
            "bad",
            zh,
            en,
            (
                "恢复摄像头；若就是要这样安装，重做 classroom-agent visibility calibrate --empty",
                "put the camera right; if it is to stay so, run classroom-agent visibility calibrate --empty",
            ),
            {"kind": lasts.kind},
        )
    made = calibration.newest_calibration(store, room)
    if made is None or made.reference_id is None:
        yield Finding(
            "visibility.reference",
            "warning",
            "没有空教室的参考画面：慢慢移动或启动前移动的摄像头看不出来",
            "no reference view of the empty room: a camera moved slowly, or before the start, is not noticed",
            (
                "教室没人、灯开着时运行 classroom-agent visibility calibrate --empty",
                "with nobody in the room and the light on run classroom-agent visibility calibrate --empty",
            ),
        )
    else:
        yield Finding(
            "visibility.reference",
            "good",
            f"有参考画面，空教室误检 {len(made.masks)} 处已屏蔽",
            f"there is a reference view; {len(made.masks)} false heads of the empty room are masked",
            measured={"masks": len(made.masks)},
        )
    if made is None or made.cut is None:
        yield Finding(
            "visibility.calibration",
            "warning",
            "人数清点没有按本教室标定",
            "the head count is not fitted to this room",
            (
                "有人上课时数人：classroom-agent visibility calibrate --frames 3",
                "with people in the room count them: classroom-agent visibility calibrate --frames 3",
            ),
        )
        return
    blind = share_of(made.blind)
    smallest = "?" if made.smallest_head_px is None else f"{made.smallest_head_px:.0f}"
    yield Finding(
        "visibility.calibration",
        "warning" if blind > LARGEST_BLIND else "good",
        f"人数清点已标定：最小人头 {smallest} 像素，画面 {blind:.0%} 看不清",
        f"the head count is fitted: heads down to {smallest} px, {blind:.0%} of the picture is blind",
        (
            "提高分辨率、换镜头或调整位置，使看不清的区域没有座位",
            "raise the resolution, change the lens or the place, until nobody sits where it is blind",
        ),
        {
            "smallest_head_px": made.smallest_head_px,
            "blind_share": round(blind, 4),
            "cut": made.cut,
            "error_left_out": made.fit.get("error_left_out"),
        },
    )
