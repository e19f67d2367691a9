"""Hostile photos and rosters, by seed."""

from __future__ import annotations

import io
import random
import struct
import zipfile
import zlib
from collections.abc import Callable
from functools import cache

import cv2
import numpy as np

from tests.classes.documents import id_number

WORDS = (
    "'; DROP TABLE person; --",
    "$(touch hostile)",
    "`touch hostile`",
    "../../../../etc/passwd",
    "..\\..\\hostile",
    "=cmd|'/c calc'!A0",
    "{{7*7}}",
    "<script>alert(1)</script>",
    "%s%n%x",
    "\x00hostile",
    "\ud7ff\ufeff\u202e",
    "A" * 70_000,
    "|| touch hostile",
    "张三\n李四",
)


@cache
def _jpeg(quality: int, side: int, *, progressive: bool) -> bytes:
    drawn = np.random.default_rng(side).integers(0, 255, (side, side, 3)).astype(np.uint8)
    options = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_PROGRESSIVE, int(progressive)]
    return cv2.imencode(".jpg", drawn, options)[1].tobytes()


@cache
def _png(depth: int, channels: int) -> bytes:
    kind = np.uint16 if depth == 16 else np.uint8
    shape = (90, 90) if channels == 1 else (90, 90, channels)
    return cv2.imencode(".png", np.full(shape, 100, kind))[1].tobytes()


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png_of(width: int, height: int, content: bytes, *, depth: int = 8, colour: int = 2) -> bytes:
    """A PNG that claims a size, with `content` as its compressed pixels."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    chunks = _chunk(b"IHDR", header) + _chunk(b"IDAT", content) + _chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


@cache
def png_bomb(side: int) -> bytes:
    """All black: a few kilobytes for side² pixels."""
    return png_of(side, side, zlib.compress(bytes((side * 3 + 1) * side), 9))


def jpeg_claiming(width: int, height: int, components: int = 3) -> bytes:
    """A JPEG whose frame header claims any size and number of components (4: CMYK)."""
    content = bytearray(_jpeg(80, 90, progressive=False))
    place = content.index(b"\xff\xc0")
    content[place + 5 : place + 9] = struct.pack(">HH", height, width)
    content[place + 9] = components
    return bytes(content)


def with_exif(jpeg: bytes, orientation: int, noise: bytes = b"") -> bytes:
    """`jpeg` with an EXIF block before everything else."""
    entry = struct.pack(">HHIHH", 0x0112, 3, 1, orientation, 0)
    tiff = b"MM\x00*" + struct.pack(">IH", 8, 1) + entry + struct.pack(">I", 0) + noise
    block = b"Exif\x00\x00" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + jpeg[2:]


def photo(seed: int) -> bytes:
    """One hostile photo."""
    rng = random.Random(seed)
    good = _jpeg(rng.choice((5, 80)), rng.choice((70, 128)), progressive=rng.random() < 0.5)
    makers: tuple[Callable[[], bytes], ...] = (
        lambda: _flipped(rng, good),
        lambda: _flipped(rng, _png(rng.choice((8, 16)), rng.choice((1, 3, 4)))),
        lambda: good[: rng.randrange(len(good))],
        lambda: _png(16, 4)[: rng.randrange(8, 300)],
        lambda: png_of(rng.choice((1, 2**31 - 1, 60_000)), rng.choice((1, 100, 2**31 - 1)), b"x"),
        lambda: png_of(
            100, 100, rng.randbytes(200), depth=rng.choice((1, 3, 16, 255)), colour=rng.randrange(8)
        ),
        lambda: jpeg_claiming(rng.choice((0, 1, 65_500, 200)), rng.choice((0, 1, 65_500, 700))),
        lambda: jpeg_claiming(90, 90, rng.choice((0, 1, 2, 4, 255))),
        lambda: with_exif(good, rng.randrange(0, 65_536), rng.randbytes(rng.randrange(400))),
        lambda: with_exif(good, rng.randrange(1, 9)),
        lambda: good + _zip({rng.choice(WORDS)[:200]: rng.randbytes(50)}),  # a JPEG that is a zip too
        lambda: b"\xff\xd8\xff" + rng.randbytes(rng.randrange(500)),
        lambda: _png(8, 3)[:33] + _chunk(b"acTL", struct.pack(">II", 2**31 - 1, 0)) + _png(8, 3)[33:],
        lambda: (
            _png(8, 3)[:33] + _chunk(b"iCCP", b"x\x00\x00" + zlib.compress(bytes(1 << 20))) + _png(8, 3)[33:]
        ),
        lambda: (
            rng.choice((b"GIF89a", b"II*\x00", b"RIFF\0\0\0\0WEBP", b"<svg ", b"#!/bin/sh\n", b"v/1\x01"))
            + rng.randbytes(200)
        ),
        lambda: rng.choice(WORDS).encode("utf-8", "replace"),
        lambda: rng.randbytes(rng.randrange(300)),
    )
    return rng.choice(makers)()


def _flipped(rng: random.Random, content: bytes) -> bytes:
    changed = bytearray(content)
    for _ in range(rng.randrange(1, 20)):
        changed[rng.randrange(2, len(changed))] = rng.randrange(256)
    return bytes(changed)


def _zip(parts: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name.replace("\x00", "") or "x", content)
    return out.getvalue()


def roster_toml(seed: int) -> bytes:
    """A class document as TOML, wild in places."""
    rng = random.Random(seed)
    word = rng.choice(WORDS)
    name = rng.choice((word, "学员甲", "", "x" * 41))
    number = rng.choice((id_number(rng.randrange(40)), word, "1" * 18, "", "４１００００"))
    rows = rng.choice((1, 2, 81, 501))
    quoted = [_quoted(text) for text in (name, number, rng.choice((word, "dgjc-1")))]
    trainee = (
        f"[[trainees]]\nname = {quoted[0]}\nid_number = {quoted[1]}\nage = {rng.choice((5, 36, 10**30))}\n"
    )
    head = (
        f"[class]\nid = {quoted[2]}\ntitle = {quoted[0]}\noccupation = 'x'\ncity = '焦作'\n"
        f"opening_day = {rng.choice(('2026-11-20', '9999-12-31', '0001-01-01', '1e400'))}\n"
        "planned_hours = 40\npractical_hours = 24\n"
    )
    return (head + trainee * min(rows, 1 + 6_000_000 // len(trainee))).encode("utf-8", "surrogatepass")


CLASS_TOML = """[class]
id = 'csv-1'
title = 'x'
occupation = 'x'
city = '焦作'
opening_day = '2026-11-20'
planned_hours = 40
practical_hours = 24
""".encode()
"""A good class without its trainees."""


def roster_csv(seed: int) -> bytes:
    """A roster as CSV, wild in places."""
    rng = random.Random(seed)
    separator = rng.choice(",;\t|")
    header = ["姓名", "性别", "年龄", "身份证号", "联系电话", "群体类别"]
    cells = (*WORDS, "学员甲", "", "4.1E+17", id_number(rng.randrange(40)), "@SUM(1)", '"', '"a\r\nb"')
    rows = [
        [rng.choice(cells) if rng.random() < 0.3 else "" for _ in range(rng.choice((1, 6, 6, 6, 50)))]
        for _ in range(rng.choice((1, 2, 81, 1300)))
    ]
    for number, row in enumerate(rows):
        row[0] = row[0] or f"学员{number}"
    if rng.random() < 0.3:
        rows = [[f"学员{number}"] for number in range(rng.choice((1, 81)))]
    lines = rng.choice(("\r\n", "\n", "\r")).join(separator.join(row) for row in [header, *rows])[:5_500_000]
    data = lines.encode(rng.choice(("utf-8", "utf-8-sig", "gb18030", "utf-16")), "replace")
    return _flipped(rng, data) if rng.random() < 0.3 else data


def _quoted(text: str) -> str:
    return '"' + "".join(f"\\u{ord(c):04x}" if ord(c) < 0x10000 else c for c in text) + '"'


def roster_xlsx(seed: int, good: bytes) -> bytes:
    """`good`, a filled-in workbook, damaged or with wild parts."""
    rng = random.Random(seed)
    if rng.random() < 0.3:
        return _flipped(rng, good) if rng.random() < 0.7 else good[: rng.randrange(len(good))]
    with zipfile.ZipFile(io.BytesIO(good)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    victim = rng.choice(sorted(parts))
    content = parts[victim]
    word = rng.choice(WORDS).replace("\x00", "").encode("utf-8", "replace")
    parts[victim] = rng.choice(
        (
            b"",
            content[: rng.randrange(1, len(content))],
            content.replace(b"<v>", b"<v>" + word[:200]),
            b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>',
            b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaa"><!ENTITY b "&a;&a;&a;">]><x>&b;</x>',
            bytes(1 << 20) if rng.random() < 0.1 else b"\x00" * 100,
            b"<x>" * rng.choice((10, 3000)),
            content.replace(b"rId1", b"rId9").replace(b"worksheets/", b"../../../../etc/"),
        )
    )
    if rng.random() < 0.3:
        parts[f"../../{word[:40].decode('utf-8', 'replace')}"] = b"slip"
    return _zip(parts)
