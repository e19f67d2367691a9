"""What the cameras are called in a report."""

from __future__ import annotations

from agent.settings import CameraRole

TITLES: dict[CameraRole, tuple[str, str]] = {
    "rear": ("录像摄像头", "rear camera"),
    "door": ("签到摄像头", "door camera"),
}
