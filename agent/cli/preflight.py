"""What would make `run` fail a minute later, said at once in a sentence."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent.settings import Settings


def problems(settings: Settings) -> list[str]:
    """Bilingual sentences for what stands in the way of starting all roles; empty when nothing does."""
    return [*_port_problems(settings), *_camera_problems(settings)]


def _port_problems(settings: Settings) -> list[str]:
    web = settings.web
    family = socket.AF_INET6 if ":" in web.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((web.host, web.port))
        except OSError as error:
            return [
                f"网页端口 {web.host}:{web.port} 不能用（{error.strerror}），"
                "请停止占用它的程序或修改 [web] port / "
                f"the page's port {web.host}:{web.port} cannot be used ({error.strerror}); "
                "stop the program that holds it or change [web] port"
            ]
    return []


def _camera_problems(settings: Settings) -> list[str]:
    found = []
    for name, camera in settings.cameras.items():
        if camera.driver == "file" and not camera.path.is_file():
            found.append(_missing(name, camera.path))
        elif camera.driver == "v4l2" and not Path(camera.device).exists():
            found.append(_missing(name, Path(camera.device)))
    return found


def _missing(name: str, path: Path) -> str:
    return (
        f"摄像头 cameras.{name} 不存在：{path}，请插好或改配置 / "
        f"camera cameras.{name} is not there: {path}; plug it in or correct the settings"
    )
