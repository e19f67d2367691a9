"""The voice with the real espeak-ng and aplay, whose sound goes through ALSA's `file` plugin into a file."""

from __future__ import annotations

import io
import shutil
import subprocess
import threading
import time
import wave
from pathlib import Path

import numpy as np
import pytest

from drivers.voice import VOICES, Voice, VoiceError, VoiceOptions, louder
from tests.waiting import wait_until

if shutil.which("aplay") is None or shutil.which("espeak-ng") is None:
    pytest.skip("SKIPPED LOUDLY: apt-get install espeak-ng alsa-utils", allow_module_level=True)


@pytest.fixture
def tap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the sound of ALSA's device `tap` ends."""
    out = tmp_path / "heard.raw"
    home = tmp_path / "home"
    home.mkdir()
    asound = f'pcm.tap {{ type file slave.pcm "null" file "{out}" format "raw" }}\n'
    (home / ".asoundrc").write_text(asound, encoding="utf-8")
    monkeypatch.setenv("HOME", str(home))
    return out


def heard(tap: Path) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    return np.frombuffer(tap.read_bytes(), dtype="<i2")


def recording(path: Path, seconds: float = 0.2, level: int = 10_000, width: int = 2) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(width)
        out.setframerate(16_000)
        out.writeframes(np.full(round(16_000 * seconds), level, dtype="<i2").tobytes())


def test_chinese_is_said_in_mandarin_and_not_spelled() -> None:
    said = subprocess.run(
        ["espeak-ng", "-v", VOICES["zh"], "-q", "-x", "--", "王同学，签到成功"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "(en)" not in said, "espeak-ng falls back to English here: the voice spells pinyin"
    assert "tS;h'iE55n" in said  # 签 qian1


def test_a_sentence_comes_out_and_the_volume_acts(tap: Path) -> None:
    Voice(VoiceOptions(volume=100, device="tap")).say("accepted", "王同学，签到成功")
    loud = heard(tap)
    assert loud.size > 10_000
    Voice(VoiceOptions(volume=25, device="tap")).say("accepted", "王同学，签到成功")
    quiet = heard(tap)
    assert quiet.size == loud.size
    assert np.abs(quiet).max() == pytest.approx(np.abs(loud.astype(int)).max() / 4, rel=0.02)


def test_a_recording_goes_before_the_spoken_sentence(tap: Path, tmp_path: Path) -> None:
    recording(tmp_path / "prompts/zh/accepted.wav")
    voice = Voice(VoiceOptions(volume=50, device="tap", prompts=tmp_path / "prompts"))
    voice.say("accepted", "王同学，签到成功")
    assert set(heard(tap)[:3000].tolist()) == {5000}
    voice.say("closer", "请走近一些")  # of which there is no recording
    assert set(heard(tap).tolist()) != {5000}


@pytest.mark.promise("I12")
@pytest.mark.parametrize("name", ["../../secret", "/etc/x", "accepted\0", "", "a b", "接受"])
def test_a_prompts_name_is_no_path(tap: Path, tmp_path: Path, name: str) -> None:
    recording(tmp_path / "secret.wav", level=1)
    recording(tmp_path / "prompts/zh/accepted.wav")
    Voice(VoiceOptions(device="tap", prompts=tmp_path / "prompts")).say(name, "好")
    assert np.abs(heard(tap)).max() > 100


@pytest.mark.promise("I12")
def test_a_text_that_looks_like_an_option_or_a_command_is_said(tap: Path, tmp_path: Path) -> None:
    Voice(VoiceOptions(language="en", device="tap")).say("x", f"-w {tmp_path}/made; touch {tmp_path}/made")
    assert heard(tap).size > 1000
    assert not list(tmp_path.glob("made*"))


def test_what_is_missing_or_wrong_is_named(
    tap: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(VoiceError, match="aplay -q -D nowhere"):
        Voice(VoiceOptions(device="nowhere")).say("x", "好")
    prompts = tmp_path / "prompts"
    (prompts / "zh").mkdir(parents=True)
    (prompts / "zh/x.wav").write_bytes(b"RIFFnonsense")
    with pytest.raises(VoiceError, match="no WAV"):
        Voice(VoiceOptions(device="tap", prompts=prompts)).say("x", "好")
    recording(prompts / "zh/x.wav", width=1)
    with pytest.raises(VoiceError, match="16 bits"):
        Voice(VoiceOptions(device="tap", prompts=prompts)).say("x", "好")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(VoiceError, match="apt-get install alsa-utils espeak-ng"):
        Voice(VoiceOptions(device="tap"))


def test_a_sentence_can_be_broken_off(tap: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = tmp_path / "bin"
    slow.mkdir()
    (slow / "aplay").write_text("#!/bin/sh\necho $$ > started\nexec sleep 60\n", encoding="utf-8")
    (slow / "aplay").chmod(0o755)
    monkeypatch.setenv("PATH", f"{slow}:/usr/bin:/bin")
    monkeypatch.chdir(tmp_path)
    voice = Voice(VoiceOptions())
    began = time.monotonic()
    saying = threading.Thread(target=voice.say, args=("x", "好"))
    saying.start()
    wait_until((tmp_path / "started").exists, 10, "it plays")
    voice.hush()
    saying.join(10)
    assert not saying.is_alive()
    assert time.monotonic() - began < 30


def test_a_pipes_wav_states_a_length_that_it_has_not() -> None:
    made = subprocess.run(["espeak-ng", "--stdout", "a"], capture_output=True, check=True).stdout
    with wave.open(io.BytesIO(louder(made, 100))) as played:
        assert played.getnframes() * 2 == len(made) - 44
