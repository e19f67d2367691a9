#!/usr/bin/env python3
"""Sample media that any machine can fetch from the package registries, and camera clips made from it.

    python scripts/samples.py            fetch into .samples/ what is not there yet
    python scripts/samples.py --clips    and make door.mp4 and rear.mp4 from it

Every file is pinned by its SHA-256. Nothing of it is part of the product or of the repository.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import IO

import av
import cv2
import numpy as np
import numpy.typing as npt

FOLDER = Path(__file__).resolve().parent.parent / ".samples"
Image = npt.NDArray[np.uint8]

DOOR_SIZE = (1280, 720)
DOOR_FPS = 15
KEY_FRAME_SECONDS = 2
_DOWNLOAD_SECONDS = 600
_ENCODER = {"preset": "veryfast", "crf": "23", "sc_threshold": "0"}


class SampleError(Exception):
    """The samples cannot be had here; the message says why and what to do."""


@dataclass(frozen=True)
class Sample:
    """One file out of a package."""

    name: str
    member: str
    sha256: str


@dataclass(frozen=True)
class Package:
    """A package of a registry and what is taken from it."""

    title: str
    download: Callable[[Path], Path]
    open_member: Callable[[Path, str], IO[bytes]]
    samples: tuple[Sample, ...]


def fetch(folder: Path = FOLDER) -> dict[str, Path]:
    """Every sample by its file name, fetched where it is missing or damaged. SampleError otherwise."""
    folder.mkdir(parents=True, exist_ok=True)
    for package in PACKAGES:
        if all(_is_good(folder / sample.name, sample.sha256) for sample in package.samples):
            continue
        print(f"下载 / fetching: {package.title}", flush=True)
        with tempfile.TemporaryDirectory() as temporary:
            archive = package.download(Path(temporary))
            for sample in package.samples:
                with package.open_member(archive, sample.member) as content:
                    _keep(folder / sample.name, content.read(), sample.sha256)
    return {sample.name: folder / sample.name for package in PACKAGES for sample in package.samples}


def _is_good(path: Path, sha256: str) -> bool:
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256


def _keep(path: Path, content: bytes, sha256: str) -> None:
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise SampleError(
            f"{path.name}: 下载的内容与记录不符，未保存 / "
            f"the download is not what was pinned and was not kept (SHA-256 {found}, expected {sha256})"
        )
    temporary = path.with_suffix(path.suffix + ".part")
    temporary.write_bytes(content)
    temporary.replace(path)


# --- where the packages come from -----------------------------------------------------------------


def _run(arguments: list[str], folder: Path, remedy: str) -> None:
    try:
        done = subprocess.run(
            arguments, cwd=folder, capture_output=True, text=True, timeout=_DOWNLOAD_SECONDS, check=False
        )
    except FileNotFoundError as error:
        raise SampleError(f"没有 {arguments[0]} / {arguments[0]} is not installed: {remedy}") from error
    except subprocess.TimeoutExpired as error:
        raise SampleError(f"下载超时 / the download took too long: {remedy}") from error
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["-"])[-1]
        raise SampleError(f"下载失败 / the download failed: {last}\n{remedy}")


_NO_NETWORK = (
    "请检查网络；没有网络时，把另一台机器上的 .samples 文件夹复制过来 / check the network; without one, copy "
    "the folder .samples from a machine that has it"
)


def _from_pypi(*requirement: str) -> Callable[[Path], Path]:
    def download(folder: Path) -> Path:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        _run([*pip, "--dest", str(folder), *requirement], folder, _NO_NETWORK)
        return next(folder.iterdir())

    return download


def _from_debian(name: str) -> Callable[[Path], Path]:
    def download(folder: Path) -> Path:
        _run(
            ["apt-get", "download", name],
            folder,
            f"请先以 root 运行 apt-get update（仅 Debian 系统有此软件包） / run apt-get update as root first "
            f"(the package {name} is Debian's); {_NO_NETWORK}",
        )
        return next(folder.glob("*.deb"))

    return download


def _in_tar(archive: Path, member: str) -> IO[bytes]:
    with tarfile.open(archive) as tar:
        return _spooled(tar.extractfile(member), member)


def _in_zip(archive: Path, member: str) -> IO[bytes]:
    with zipfile.ZipFile(archive) as wheel, wheel.open(member) as content:
        return _spooled(content, member)


def _in_deb(archive: Path, member: str) -> IO[bytes]:
    """Read through the archive up to `member`, without unpacking its thousands of files."""
    with subprocess.Popen(
        ["dpkg-deb", "--fsys-tarfile", str(archive)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as unpacked:
        with tarfile.open(fileobj=unpacked.stdout, mode="r|") as tar:
            content = next((_spooled(tar.extractfile(e), member) for e in tar if e.name == member), None)
        unpacked.kill()
    return content or _spooled(None, member)


def _spooled(content: IO[bytes] | None, member: str) -> IO[bytes]:
    if content is None:
        raise SampleError(f"{member}: 软件包里没有这个文件 / is not in the package")
    copy = tempfile.TemporaryFile()  # noqa: SIM115 (the caller closes it)
    copy.write(content.read())
    copy.seek(0)
    return copy


_FACES = "face_recognition-1.3.0/tests/test_images"
PACKAGES = (
    Package(
        "face_recognition 1.3.0 (PyPI)",
        _from_pypi("--no-binary", "face_recognition", "face_recognition==1.3.0"),
        _in_tar,
        tuple(
            Sample(name, f"{_FACES}/{name}", sha256)
            for name, sha256 in (
                ("obama.jpg", "0930e3aa8cae5920329c0c8cbc6a2ab70f47b0e67b432875beaa95cbf7e741f6"),
                ("obama2.jpg", "a7efcc907375274796f39646510704aa86672d59f6d5469d69af3c85590976a6"),
                ("obama3.jpg", "76ac6bf97c36dc2da0ad16a537d6a5ac1b10f48d49aac29a0cca9a17cdbc3ca3"),
                (
                    "obama_partial_face.jpg",
                    "c2d1f09e7ef3042352b41e41286e6eb0522f64f88308be13886991b95db52117",
                ),
                (
                    "obama_partial_face2.jpg",
                    "9a812347f97633542b8cd9992de22def11b74f79d82056bc3ee830f13878e028",
                ),
                ("biden.jpg", "3c17508bb91554c637a2eabddfae790e5bb1caba93130814fc2ac50be9760c4c"),
            )
        ),
    ),
    Package(
        "insightface 2.1 (PyPI)",
        _from_pypi("insightface==2.1"),
        _in_zip,
        (
            Sample(
                "t1.jpg",
                "insightface/data/images/t1.jpg",
                "47f682e945b659f93a9e490b9c9c4a2a864abe64dace9e1a2893845ddfd69489",
            ),
        ),
    ),
    Package(
        "opencv-doc (Debian)",
        _from_debian("opencv-doc"),
        _in_deb,
        (
            Sample(
                "vtest.avi",
                "./usr/share/doc/opencv-doc/examples/data/vtest.avi",
                "45cddc9490be69345cbdab64ca583be65987e864ca408038e648db99e10516cf",
            ),
        ),
    ),
)

PEOPLE_IN_T1 = (
    (10, 220, 240, 500),
    (670, 300, 910, 590),
    (1050, 220, 1280, 500),
    (390, 235, 640, 540),
    (220, 120, 420, 370),
    (825, 30, 1045, 300),
)
"""Head and shoulders of the six people in t1.jpg: left, top, right, bottom in pixels."""


def cut(photo: Path, box: tuple[int, int, int, int], out: Path) -> Path:
    """Write the part `box` (left, top, right, bottom in pixels) of `photo` to `out`; returns `out`."""
    left, top, right, bottom = box
    if not cv2.imwrite(str(out), _read(photo)[top:bottom, left:right]):
        raise SampleError(f"{out}: 无法写入 / cannot be written")
    return out


# --- clips ------------------------------------------------------------------------------------------


def door_clip(
    out: Path,
    photos: list[Path],
    seconds: float = 4.0,
    *,
    blank_seconds: float = 1.5,
    size: tuple[int, int] = DOOR_SIZE,
    fps: int = DOOR_FPS,
) -> Path:
    """What a door camera sees when the people of `photos` come by one after the other.

    Each stands in the doorway for `seconds`, coming nearer and swaying a little, with an empty doorway
    before each and at the end, under a sensor's noise. H.264 (MP4), key frame every 2 s, no B-frames.
    """
    if not photos:
        raise SampleError("没有照片 / no photos were given")
    pictures = _door_pictures([_read(photo) for photo in photos], seconds, blank_seconds, size, fps)
    return _encode(out, pictures, size, Fraction(fps))


def _door_pictures(
    photos: list[Image], seconds: float, blank_seconds: float, size: tuple[int, int], fps: int
) -> Iterator[Image]:
    doorway = _doorway(size)
    noise = _noise(size)
    number = 0
    blank = round(blank_seconds * fps)
    for photo in photos:
        portrait = _portrait(photo, size[1])
        for _ in range(blank):
            yield _noisy(doorway, noise, number := number + 1)
        for step in range(length := round(seconds * fps)):
            yield _noisy(_standing(doorway, portrait, step / length), noise, number := number + 1)
    for _ in range(blank):
        yield _noisy(doorway, noise, number := number + 1)


def _doorway(size: tuple[int, int]) -> Image:
    """A plain wall with a lighter opening: nothing that a face detector could take for a face."""
    width, height = size
    wall = np.full((height, width, 3), (120, 128, 132), dtype=np.uint8)
    cv2.rectangle(wall, (width // 4, height // 12), (3 * width // 4, height), (178, 184, 186), -1)
    return cv2.GaussianBlur(wall, (31, 31), 0).astype(np.uint8)


def _portrait(photo: Image, height: int) -> Image:
    """The upper part of a photo, where head and shoulders are, scaled to the picture's height."""
    upper = photo[: min(photo.shape[0], round(photo.shape[1] * 1.25))]
    scale = height / upper.shape[0]
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return cv2.resize(upper, None, fx=scale, fy=scale, interpolation=way).astype(np.uint8)


def _standing(doorway: Image, portrait: Image, progress: float) -> Image:
    """The person at `progress` (0..1): from 0.9 to 1.2 of the size, swaying by a hundredth of the width."""
    height, width = doorway.shape[:2]
    zoom = 0.9 + 0.3 * progress
    sway = np.sin(progress * 2 * np.pi) * width / 100
    left = (width - portrait.shape[1] * zoom) / 2 + sway
    top = height * 0.05 * (1 - progress)
    move = np.array([[zoom, 0, left], [0, zoom, top]], dtype=np.float32)
    scene = doorway.copy()
    cv2.warpAffine(portrait, move, (width, height), dst=scene, borderMode=cv2.BORDER_TRANSPARENT)
    return scene


def _noise(size: tuple[int, int]) -> list[npt.NDArray[np.int16]]:
    random = np.random.default_rng(1)
    return [random.normal(0, 2.5, (size[1], size[0], 1)).astype(np.int16) for _ in range(8)]


def _noisy(image: Image, noise: list[npt.NDArray[np.int16]], number: int) -> Image:
    noisy: Image = np.clip(image + noise[number % len(noise)], 0, 255).astype(np.uint8)
    return noisy


def rear_clip(out: Path, video: Path = FOLDER / "vtest.avi", seconds: float | None = None) -> Path:
    """The pedestrians of vtest.avi as a rear camera: H.264 (MP4), key frame every 2 s, no B-frames.

    768x576 at 10 pictures a second; `seconds` shortens it (79.5 s whole).
    """
    if not video.is_file():
        raise SampleError(f"{video}: 没有样例视频，请先运行 / missing; first run: python scripts/samples.py")
    with av.open(str(video)) as container:
        stream = container.streams.video[0]
        rate = stream.average_rate or Fraction(10)
        size = (stream.codec_context.width, stream.codec_context.height)
        most = None if seconds is None else round(seconds * rate)
        frames = (frame.to_ndarray(format="bgr24") for frame in container.decode(stream))
        pictures = (
            image.astype(np.uint8, copy=False) for _, image in zip(_counted(most), frames, strict=False)
        )
        return _encode(out, pictures, size, rate)


def _counted(most: int | None) -> Iterator[int]:
    number = 0
    while most is None or number < most:
        yield number
        number += 1


def _encode(out: Path, pictures: Iterator[Image], size: tuple[int, int], rate: Fraction) -> Path:
    with _appearing_whole(out) as temporary, av.open(str(temporary), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=rate, options=dict(_ENCODER))
        assert isinstance(stream, av.VideoStream)  # noqa: S101 (libx264 is a video encoder)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.gop_size = round(KEY_FRAME_SECONDS * rate)
        stream.max_b_frames = 0
        for number, image in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(image, format="bgr24")
            frame.pts, frame.time_base = number, 1 / rate
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return out


@contextmanager
def _appearing_whole(out: Path) -> Iterator[Path]:
    """A broken-off run leaves no half file behind under the name that a later run would trust."""
    out.parent.mkdir(parents=True, exist_ok=True)
    temporary = out.with_name(f".{out.name}.part")
    try:
        yield temporary
        temporary.replace(out)
    finally:
        temporary.unlink(missing_ok=True)


def _read(photo: Path) -> Image:
    image = cv2.imread(str(photo), cv2.IMREAD_COLOR)
    if image is None:
        raise SampleError(f"{photo}: 不是能读的图片 / is not a picture that can be read")
    return np.asarray(image, dtype=np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description="取得样例媒体 / fetch the sample media")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    parser.add_argument("--clips", action="store_true", help="并制作演示视频 / and make the clips")
    arguments = parser.parse_args()
    try:
        samples = fetch(arguments.folder)
        if arguments.clips:
            stranger = cut(samples["t1.jpg"], PEOPLE_IN_T1[3], arguments.folder / "stranger.jpg")
            door_clip(arguments.folder / "door.mp4", [samples["obama3.jpg"], samples["biden.jpg"], stranger])
            rear_clip(arguments.folder / "rear.mp4", samples["vtest.avi"])
    except SampleError as error:
        raise SystemExit(f"样例 / samples: {error}") from error
    except OSError as error:
        place = error.filename or arguments.folder
        raise SystemExit(
            f"样例 / samples: {place}: 无法写入 / cannot be written: {error.strerror}"
        ) from error
    print(f"就绪 / ready: {arguments.folder}")


if __name__ == "__main__":
    main()
