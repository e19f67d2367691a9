"""The door's voice: recorded prompts where there are any, else espeak-ng; played by aplay.

Both are programs of their own, started without a shell; nothing of a text reaches a file name. A sentence is
made whole before it is played, so that its loudness is ours to set and a missing sound card is seen
(espeak-ng itself ends with 0 then).
"""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import threading
import wave
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np

Language = Literal["zh", "en"]
LANGUAGES: Final[tuple[Language, ...]] = ("zh", "en")

VOICES: Final[dict[Language, str]] = {"zh": "cmn-latn-pinyin", "en": "en"}
"""espeak-ng's. Not `cmn`: in Debian 12's 1.51 that one turns 签 into "qian1" and says these letters and the
number in English (its issue 1236)."""
WORDS_PER_MINUTE: Final[dict[Language, int]] = {"zh": 200, "en": 160}
MAKING_S: Final = 5.0
PLAYING_S: Final = 15.0
"""A program that takes longer hangs (a Bluetooth speaker that is away) and is ended."""
LARGEST_PROMPT: Final = 4 << 20
_PROMPT: Final = re.compile(r"[a-z_]{1,32}")


class VoiceError(Exception):
    """Nothing can be said; what is missing and how it is mended."""


@dataclass(frozen=True, slots=True)
class VoiceOptions:
    """How it speaks."""

    language: Language = "zh"
    volume: int = 80
    """Per cent of full scale, 0..100."""
    device: str = "default"
    """ALSA's name (`aplay -L`)."""
    prompts: Path | None = None
    """Folder of `zh/NAME.wav`, `en/NAME.wav`: 16 bits, one or two channels."""


class Voice:
    """Says one sentence at a time. `say` blocks: call it in a thread of its own; `hush` from any."""

    def __init__(self, options: VoiceOptions) -> None:
        self._options = options
        self._lock = threading.Lock()
        self._playing: subprocess.Popen[bytes] | None = None
        self._hushed = 0
        self._programs()

    def _programs(self) -> None:
        """VoiceError when a program is missing."""
        needed = ["aplay"] if self._has_prompts() else ["aplay", "espeak-ng"]
        missing = [program for program in needed if shutil.which(program) is None]
        if missing:
            packages = " ".join({"aplay": "alsa-utils"}.get(program, program) for program in missing)
            raise VoiceError(f"{', '.join(missing)}: apt-get install {packages}")

    def _has_prompts(self) -> bool:
        folder = self._options.prompts
        return folder is not None and (folder / self._options.language).is_dir()

    def say(self, prompt: str, text: str) -> None:
        """Play the recording `prompt` (a plain word) if there is one, else speak `text`. VoiceError."""
        hushed = self._hushed
        sound = self._recorded(prompt)
        sound = self._synthesized(text) if sound is None else sound
        self._play(louder(sound, self._options.volume), hushed)

    def hush(self) -> None:
        """Break off what is being said."""
        with self._lock:
            self._hushed += 1
            if self._playing is not None:
                self._playing.kill()

    def _recorded(self, prompt: str) -> bytes | None:
        folder = self._options.prompts
        if folder is None or not _PROMPT.fullmatch(prompt):
            return None
        try:
            with (folder / self._options.language / f"{prompt}.wav").open("rb") as file:
                sound = file.read(LARGEST_PROMPT + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise VoiceError(f"{prompt}.wav: {error.strerror}") from error
        if len(sound) > LARGEST_PROMPT:
            raise VoiceError(f"{prompt}.wav: larger than {LARGEST_PROMPT >> 20} MiB")
        return sound

    def _synthesized(self, text: str) -> bytes:
        language = self._options.language
        command = ["espeak-ng", "-v", VOICES[language], "-s", str(WORDS_PER_MINUTE[language]), "--stdout"]
        try:
            made = subprocess.run(
                [*command, "--", text],
                capture_output=True,
                timeout=MAKING_S,
                check=False,
                stdin=subprocess.DEVNULL,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise VoiceError(f"espeak-ng: {type(error).__name__}") from error
        if made.returncode != 0 or not made.stdout:
            raise VoiceError(f"espeak-ng -v {VOICES[language]}: {_last_line(made.stderr)}")
        return made.stdout

    def _play(self, sound: bytes, hushed: int) -> None:
        command = ["aplay", "-q", "-D", self._options.device, "-"]
        try:
            with self._lock:
                if self._hushed != hushed:
                    return
                player = self._playing = subprocess.Popen(
                    command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
                )
        except OSError as error:
            raise VoiceError(f"aplay: {error.strerror}") from error
        try:
            _, said = player.communicate(sound, timeout=PLAYING_S)
        except subprocess.TimeoutExpired as error:
            player.kill()
            player.communicate()
            raise VoiceError(f"{' '.join(command)}: still playing after {PLAYING_S:.0f} s") from error
        finally:
            with self._lock:
                self._playing = None
        if player.returncode > 0:  # below 0 it was hushed
            raise VoiceError(f"{' '.join(command)}: {_last_line(said)}")


def louder(sound: bytes, volume: int) -> bytes:
    """A 16-bit WAV at `volume` per cent, as a WAV. VoiceError for another kind of file.

    A WAV from a pipe states a length that it has not: what is there counts.
    """
    try:
        with wave.open(io.BytesIO(sound)) as source:
            channels, width, rate = source.getnchannels(), source.getsampwidth(), source.getframerate()
            frames = source.readframes(len(sound))
    except (wave.Error, EOFError) as error:
        raise VoiceError(f"no WAV file: {error}") from error
    if width != 2:
        raise VoiceError(f"a WAV of 16 bits a sample is expected, found {8 * width}")
    samples = np.frombuffer(frames[: len(frames) // 2 * 2], dtype="<i2").astype(np.float32) * (volume / 100)
    out = io.BytesIO()
    with wave.open(out, "wb") as target:
        target.setnchannels(channels)
        target.setsampwidth(2)
        target.setframerate(rate)
        target.writeframes(samples.astype("<i2").tobytes())
    return out.getvalue()


def _last_line(output: bytes) -> str:
    lines = output.decode(errors="replace").strip().splitlines()
    return lines[-1][:200] if lines else "no reason given"
