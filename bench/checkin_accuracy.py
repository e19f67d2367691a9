#!/usr/bin/env python3
"""Who is recognised at the door, who is not, and which strangers are: the product's own gallery and fitted
cut.

    python -m bench.checkin_accuracy [--engine NAME] [--out result.json]     (CLASSROOM_AGENT_SHARED set)

Two sets (`bench.face_sets`), each enrolled with one photo, and with that and the two earliest others; tested
on what is later than all of these, the same probes for both. Strangers: each person in turn is left out of
the gallery, the cut fitted to those who remain, and every probe of that person is a stranger's. The cuts come
from the enrolments; the figures "by scores", where the cut is read off the probes themselves, are there to
compare engines by.

Intervals are the wider of two at 95 %: Wilson's over the probes, and a bootstrap over people, because one
person's probes hang together. Prints numbers only.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from agent.checkin.cut_fitting import fit
from agent.checkin.deliberation import Deliberation
from agent.checkin.fusion import Fusion
from agent.checkin.gallery import NOBODY, Gallery, Match
from agent.checkin.matching import StoredTemplate, TemplateMatrix
from agent.checkin.thresholds import CheckinThresholds
from agent.log import configure_logging
from bench.face_sets import ENROLMENT_PHOTO, SETS, Photo, media_folder, read
from models.faces import ENGINES, load_engine
from models.impostors import impostor_baseline

MORE_PHOTOS = 2
FALSE_ALARM = 0.01
FMR = {"class_faces": 1e-3, "lfw": 1e-4}
BANDS: dict[str, tuple[float, float]] = {
    "all": (0, math.inf),
    "<80 px": (0, 80),
    "80-120 px": (80, 120),
    ">=120 px": (120, math.inf),
    ">=80 px": (80, math.inf),
}
RATES = (0.003, CheckinThresholds().false_match_rate)
"""False match rates that the cut is fitted to: a stricter one, and the default."""
RESAMPLES = 1000

Numbers = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Trial:
    """One set under one enrolment."""

    engine: str
    gallery: dict[str, list[Photo]]
    probes: list[Photo]
    """Of people in the gallery, in the order of their days."""

    def templates(self, *, without: str | None = None) -> list[StoredTemplate]:
        return [
            StoredTemplate(f"{person}/{number}", person, photo.template, photo.quality)
            for person, photos in self.gallery.items()
            if person != without
            for number, photo in enumerate(photos)
        ]


def trial(engine: str, photos: list[Photo], enrolled: int) -> Trial:
    """`enrolled` photos a person (1 or 1 + MORE_PHOTOS); the probes are the same for both."""
    by_person: dict[str, list[Photo]] = defaultdict(list)
    for photo in sorted(photos, key=lambda photo: photo.day):
        by_person[photo.person].append(photo)
    gallery, probes = {}, []
    for person, of_person in by_person.items():
        early = of_person[: 1 + MORE_PHOTOS]
        if early[0].day == ENROLMENT_PHOTO:
            gallery[person] = early[:enrolled]
            probes += [photo for photo in of_person if photo.day > early[-1].day]
    return Trial(engine, gallery, probes)


def interval(flags: Flags, people: list[str]) -> tuple[float, float]:
    """95 % interval of the share of `flags`: the wider of Wilson's and a bootstrap over `people`."""
    of, z = len(flags), 1.96
    right = int(flags.sum())
    middle, spread = right + z * z / 2, z * math.sqrt(right * (of - right) / of + z * z / 4)
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for person, flag in zip(people, flags.tolist(), strict=True):
        sums[person][0] += flag
        sums[person][1] += 1
    table = np.array(list(sums.values()))
    drawn = table[np.random.default_rng(1).integers(len(table), size=(RESAMPLES, len(table)))].sum(axis=1)
    low, high = np.quantile(drawn[:, 0] / drawn[:, 1], (0.025, 0.975))
    return (
        round(float(min(low, (middle - spread) / (of + z * z))), 4),
        round(float(max(high, (middle + spread) / (of + z * z))), 4),
    )


def share(flags: Flags, people: list[str]) -> dict[str, Any]:
    return {
        "share": round(float(flags.mean()), 4),
        "interval": interval(flags, people),
        "of": len(flags),
        "people": len(set(people)),
    }


def by_scores(this: Trial, fmr: float) -> Callable[[Flags], dict[str, Any]]:
    """FNMR at `fmr` and identification at FALSE_ALARM for the probes chosen, cuts read off all probes."""
    matrix = TemplateMatrix(this.templates())
    far = np.stack([matrix.of_people(probe.template) for probe in this.probes]).astype(np.float64)
    owners = [probe.person for probe in this.probes]
    own = np.array(owners)[:, None] == np.array(matrix.people)
    genuine, impostor = far[own], np.sort(far[~own])
    cut = float(impostor[int(fmr * len(impostor))])
    as_stranger = np.sort(np.where(own, np.inf, far).min(axis=1))
    open_cut = float(as_stranger[int(FALSE_ALARM * len(as_stranger))])
    right = np.array(matrix.people)[far.argmin(axis=1)] == np.array(owners)
    fitted = fit(matrix.sample(np.arange(len(matrix.people))), impostor_baseline(this.engine)).cut(fmr)

    def rates(chosen: Flags) -> dict[str, Any]:
        people = [owner for owner, is_chosen in zip(owners, chosen, strict=True) if is_chosen]
        others = far[chosen][~own[chosen]]
        return {
            "fnmr_at_fmr": {"fmr": fmr, "cut": round(cut, 4)} | share(genuine[chosen] >= cut, people),
            "fnmr_at_fitted_fmr": {
                "wanted_fmr": fmr,
                "cut": round(fitted, 4),
                "obtained_fmr": round(float((others < fitted).mean()), 6),
                "comparisons": len(others),
            }
            | share(genuine[chosen] >= fitted, people),
            "identified_at_1_percent_false_alarm": {"cut": round(open_cut, 4)}
            | share((right & (far.min(axis=1) < open_cut))[chosen], people),
        }

    return rates


Namer = Callable[[Sequence[int]], str | None]
"""Numbers of probes, looked at one after the other -> whom the door names by them."""


def at_the_door(this: Trial, thresholds: CheckinThresholds) -> Callable[[Flags], dict[str, Any]]:
    """The product's answers under its own fitted limits: by one frame, by two that agree, by three and by
    whole visits; the last two also without the frames' mean."""
    members = dict.fromkeys(this.gallery, "trainee")
    gallery = Gallery(this.templates(), members, this.engine)  # type: ignore[arg-type]
    without = {
        person: Gallery(this.templates(without=person), members, this.engine)  # type: ignore[arg-type]
        for person in this.gallery
    }
    fitted = gallery.fitted(thresholds)
    matches = [gallery.match(probe.template, thresholds) for probe in this.probes]
    strangers = [without[probe.person].match(probe.template, thresholds) for probe in this.probes]

    def member(has_mean: bool) -> Namer:
        return lambda frames: _named_by(frames, matches, this, thresholds, gallery if has_mean else None)

    def stranger(has_mean: bool) -> Namer:
        return lambda frames: _named_by(
            frames, strangers, this, thresholds, without[this.probes[frames[0]].person] if has_mean else None
        )

    def rates(chosen: Flags) -> dict[str, Any]:
        numbers = np.flatnonzero(chosen).tolist()
        people = [this.probes[number].person for number in numbers]
        right = [matches[n].is_named and matches[n].person_id == this.probes[n].person for n in numbers]
        result: dict[str, Any] = {
            "one_frame": {
                "identified": share(np.array(right), people),
                "named_as_another": sum(matches[n].is_named for n in numbers) - sum(right),
                "false_alarm": share(np.array([strangers[n].is_named for n in numbers]), people),
            }
        }
        pairs, threes = _in_a_row(this, numbers, 2), _in_a_row(this, numbers, 3)
        if pairs:
            result["two_frames"] = _by_several(this, pairs, _agreeing(matches), _agreeing(strangers))
        for name, several in (("three_frames", threes), ("visit", _visits(this, numbers))):
            if several:
                result[name] = _by_several(this, several, member(True), stranger(True))
                result[f"{name}_without_mean"] = _by_several(this, several, member(False), stranger(False))
        return result

    return lambda chosen: {"fitted": fitted.as_detail() if fitted else None} | rates(chosen)


def _in_a_row(this: Trial, numbers: list[int], length: int) -> list[Sequence[int]]:
    """Every `length` probes of one person, one after the other."""
    rows = [numbers[start : start + length] for start in range(len(numbers) - length + 1)]
    return [row for row in rows if len({this.probes[number].person for number in row}) == 1]


def _agreeing(matches: list[Match]) -> Namer:
    """Whom every frame names by itself; people who look alike are asked for no frame more."""

    def name(frames: Sequence[int]) -> str | None:
        names = {matches[n].person_id if matches[n].is_named else None for n in frames}
        return names.pop() if len(names) == 1 else None

    return name


def _visits(this: Trial, numbers: list[int]) -> list[Sequence[int]]:
    """A person's probes by four to six, as if one visit had shown them; they are of different days,
    though."""
    limits = CheckinThresholds()
    visits: list[list[int]] = []
    for number in numbers:
        fits = visits and len(visits[-1]) < limits.frames_at_most
        if fits and this.probes[visits[-1][0]].person == this.probes[number].person:
            visits[-1].append(number)
        else:
            visits.append([number])
    return [visit for visit in visits if len(visit) >= limits.frames_for_unknown]


def _by_several(this: Trial, several: list[Sequence[int]], member: Namer, stranger: Namer) -> dict[str, Any]:
    people = [this.probes[frames[0]].person for frames in several]
    named = [member(frames) for frames in several]
    return {
        "identified": share(np.array([a == b for a, b in zip(named, people, strict=True)]), people),
        "named_as_another": sum(a not in (None, b) for a, b in zip(named, people, strict=True)),
        "false_alarm": share(np.array([stranger(frames) is not None for frames in several]), people),
    }


def _named_by(
    frames: Sequence[int],
    matches: list[Match],
    this: Trial,
    thresholds: CheckinThresholds,
    gallery: Gallery | None,
) -> str | None:
    """`gallery`: whom the frames' mean is matched against, as the door does; None: frames one by one."""
    deliberation, fusion = Deliberation(thresholds), Fusion()
    for number in frames:
        probe, together = this.probes[number], NOBODY
        mean = fusion.add(probe.template, probe.quality, deliberation.gathered)
        if gallery is not None and deliberation.gathered:
            together = gallery.match(mean, thresholds, is_mean=True)
        conclusion = deliberation.add(matches[number], probe.quality, together)
        if conclusion is not None and conclusion.person_id is not None:
            return conclusion.person_id
    return None


def measure(engine: str, set_name: str, photos: list[Photo]) -> dict[str, Any]:
    """Every figure of one engine on one set."""
    result: dict[str, Any] = {}
    for enrolled in (1, 1 + MORE_PHOTOS):
        this = trial(engine, photos, enrolled)
        scored = by_scores(this, FMR[set_name])
        answered = {
            f"door_at_{rate}": at_the_door(this, CheckinThresholds(false_match_rate=rate)) for rate in RATES
        }
        widths = np.array([probe.width_px for probe in this.probes])
        of_enrolment: dict[str, Any] = {}
        for band, (low, high) in BANDS.items():
            chosen = (widths >= low) & (widths < high)
            if chosen.sum() >= 10:
                of_enrolment[band] = scored(chosen) | {name: at(chosen) for name, at in answered.items()}
        result[f"{enrolled}_photos"] = of_enrolment
    return result


def speed(templates: int = 10_000, length: int = 512, rounds: int = 300) -> dict[str, Any]:
    """Milliseconds of one match against so many templates of half as many people."""
    random = np.random.default_rng(1)
    values = random.normal(size=(templates, length)).astype(np.float32)
    values *= np.float32(0.466) / np.linalg.norm(values, axis=1, keepdims=True)
    stored = [StoredTemplate(f"t{n:05}", f"p{n // 2:05}", row) for n, row in enumerate(values)]
    gallery = Gallery(stored, {f"p{n:05}": "trainee" for n in range(40)}, ENGINES[0])
    thresholds = CheckinThresholds()
    began = time.perf_counter()
    gallery.match(values[0], thresholds)
    fitting = time.perf_counter() - began
    wall, cpu = [], []
    for row in values[:rounds]:
        before, before_cpu = time.perf_counter(), time.process_time()
        gallery.match(row, thresholds)
        wall.append(time.perf_counter() - before)
        cpu.append(time.process_time() - before_cpu)
    return {
        "templates": templates,
        "people": len(gallery),
        "first_match_with_fit_ms": round(1e3 * fitting, 1),
        "wall_ms": {q: round(1e3 * float(np.quantile(wall, q)), 2) for q in (0.5, 0.95, 1.0)},
        "cpu_ms": {q: round(1e3 * float(np.quantile(cpu, q)), 2) for q in (0.5, 0.95, 1.0)},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="签到识别精度 / accuracy of recognition at the door")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--engine", choices=ENGINES, action="append", help="不写则全部 / all if left out")
    parser.add_argument("--models", type=Path, default=Path(sys.prefix) / "share/classroom-agent/models")
    arguments = parser.parse_args()
    media = media_folder()
    configure_logging("bench", level="WARNING")
    results: list[dict[str, Any]] = [{"benchmark": "matching", **speed()}]
    for name in arguments.engine or ENGINES:
        engine = load_engine(name, min_face_px=80, models_folder=arguments.models)
        for set_name in SETS:
            photos, missed = read(engine, set_name, media)
            found = measure(name, set_name, photos)
            results.append(
                {"benchmark": "checkin_accuracy", "engine": name, "set": set_name, "no_face_found": missed}
                | found
            )
    print(json.dumps(results, indent=2))
    if arguments.out:
        arguments.out.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
