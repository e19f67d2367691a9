"""The fit of cut and margin, the gallery's tiers, look-alikes, and the vote: who is named, and who is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.checkin.cut_fitting import FittedCut, Sample, fit_cut, rate_per_comparison
from agent.checkin.deliberation import Conclusion, Deliberation, Finding
from agent.checkin.gallery import NOBODY, Gallery, Match, Membership
from agent.checkin.matching import StoredTemplate, TemplateMatrix
from agent.checkin.thresholds import CheckinThresholds
from models.faces import ENGINES
from models.impostors import impostor_baseline
from models.weights import ModelError

ENGINE = "sface-128-v1"
BASELINE = impostor_baseline(ENGINE)
LIMITS = CheckinThresholds()
LENGTH = 128
NORM = 0.474

Values = npt.NDArray[np.float32]

rates = st.floats(1e-4, 0.1)
samples = st.builds(
    lambda people, mean, deviation, seed: sample(people, mean, deviation, seed),
    st.integers(0, 60),
    st.floats(0.3, 0.9),
    st.floats(0.001, 0.2),
    st.integers(0, 1000),
)


def sample(people: int, mean: float, deviation: float, seed: int = 0) -> Sample:
    """A class in which different people lie `mean` apart, give or take `deviation`."""
    far = np.random.default_rng(seed).normal(mean, deviation, (people, people)).astype(np.float32)
    np.fill_diagonal(far, np.inf)
    return Sample(people, far)


def fitted(this: Sample, rate: float = 0.003, people: int = 40, limit: float = 2.0) -> FittedCut:
    return fit_cut(this, BASELINE, rate, people, limit, 0.0)


@pytest.mark.promise("I9")
@given(samples, rates, st.integers(1, 10_000), st.floats(0.2, 0.9))
def test_no_class_has_a_looser_cut_than_the_engine_or_hr(
    this: Sample, rate: float, people: int, limit: float
) -> None:
    cut = fitted(this, rate, people, limit)
    loosest = min(BASELINE.at_large.cut(rate_per_comparison(rate, people)), limit)
    assert cut.cut <= loosest
    for mean in (0.2, cut.impostors.mean, 1.5):  # nor has any probe, however it sees the class
        assert cut.cut_for(np.full(max(this.people, 1), mean, np.float32)) <= loosest


@pytest.mark.promise("I9")
@given(samples, rates, rates, st.integers(1, 10_000), st.integers(1, 10_000))
def test_the_smaller_the_rate_and_the_more_people_the_nearer_the_cut(
    this: Sample, rate: float, other_rate: float, people: int, more: int
) -> None:
    strict, loose = sorted((rate, other_rate))
    assert fitted(this, strict, people).cut <= fitted(this, loose, people).cut
    assert fitted(this, rate, people + more).cut <= fitted(this, rate, people).cut


@given(st.floats(1e-5, 0.3), st.integers(1, 10_000))
def test_compared_with_everybody_a_stranger_is_somebody_at_the_stated_rate(rate: float, people: int) -> None:
    assert 1 - (1 - rate_per_comparison(rate, people)) ** people == pytest.approx(rate, rel=1e-6)


@given(samples, st.integers(0, 1000))
def test_the_order_of_enrolment_changes_no_cut(this: Sample, seed: int) -> None:
    random = np.random.default_rng(seed)
    rows, columns = random.permutation(this.people), random.permutation(this.people)
    shuffled = Sample(this.people, this.distances[rows][:, columns])
    assert fitted(shuffled).cut == pytest.approx(fitted(this).cut, abs=1e-9)
    assert fitted(shuffled).margin == pytest.approx(fitted(this).margin, abs=1e-9)


@pytest.mark.promise("I9")
def test_a_class_whose_people_look_alike_has_a_nearer_cut() -> None:
    alike, various = fitted(sample(40, 0.57, 0.03)), fitted(sample(40, 0.62, 0.03))
    assert alike.cut < various.cut - 0.04
    assert alike.bound == various.bound == "class"


@pytest.mark.promise("I9")
def test_of_few_people_the_class_is_assumed_to_look_alike() -> None:
    """On average: which few they are moves the cut by about as much."""
    large = BASELINE.at_large

    def mean_cut(people: int) -> float:
        drawn = (sample(people, large.mean, large.deviation, seed) for seed in range(12))
        return float(np.mean([fitted(each).cut for each in drawn]))

    cuts = [mean_cut(people) for people in (0, 2, 5, 20, 60)]
    assert cuts == sorted(cuts)
    assert cuts[-1] - cuts[0] > 0.02


@pytest.mark.parametrize(("mean", "deviation"), [(0.60, 0.03), (0.62, 0.035), (0.64, 0.03)])
def test_strangers_are_named_about_as_often_as_stated(mean: float, deviation: float) -> None:
    rate, people = 0.02, 40
    cut = fitted(sample(people, mean, deviation), rate, people)
    strangers = np.random.default_rng(7).normal(mean, deviation, (20_000, people)).astype(np.float32)
    named = np.mean([far.min() < cut.cut_for(far) for far in strangers[:4000]])
    assert 0 < named <= rate


def test_every_engine_knows_its_impostors_and_an_unknown_one_names_nobody() -> None:
    for engine in ENGINES:
        assert impostor_baseline(engine).class_mean < impostor_baseline(engine).at_large.mean
    unmeasured = Gallery([StoredTemplate("t", "ann", face(1))], {"ann": "trainee"}, "unmeasured-v1")
    with pytest.raises(ModelError, match="unmeasured-v1"):
        unmeasured.match(face(1), LIMITS)


def face(seed: int, like: int | None = None, share: float = 0.0) -> Values:
    """A template; `share` of it is that of the face `like`."""
    values = np.random.default_rng(seed).normal(size=LENGTH)
    values /= np.linalg.norm(values)
    if like is not None:
        values = share * face(like).astype(np.float64) / NORM + np.sqrt(1 - share**2) * values
    return np.asarray(values * (NORM / np.linalg.norm(values)), np.float32)


def look(person: int, frame: int = 0, share: float = 0.75) -> Values:
    """The same person before the door: cosine `share` to their template."""
    return face(10_000 + 100 * person + frame, like=person, share=share)


def gallery(members: range, elsewhere: range = range(0), *others: StoredTemplate) -> Gallery:
    """People of the class, of another class, and more templates of members."""
    people = [*members, *elsewhere]
    templates = [StoredTemplate(f"t{person}", f"p{person:03}", face(person)) for person in people]
    roles: dict[str, Membership] = {f"p{person:03}": "trainee" for person in members}
    roles |= {template.person_id: "trainee" for template in others}
    return Gallery([*templates, *others], roles, ENGINE)


def test_an_empty_gallery_names_nobody() -> None:
    empty = Gallery([], {})
    assert empty.match(face(1), LIMITS) == NOBODY
    assert empty.fitted(LIMITS) is None
    assert empty.look_alikes(LIMITS) == ()
    deliberation = Deliberation(LIMITS)
    conclusions = [deliberation.add(empty.match(face(1), LIMITS)) for _ in range(4)]
    assert [c.finding for c in conclusions if c] == [Finding.UNKNOWN]


@pytest.mark.promise("I9")
def test_what_is_no_number_names_nobody_and_stands_in_nobodys_way() -> None:
    nonsense = np.full(LENGTH, np.nan, np.float32)
    assert gallery(range(5)).match(nonsense, LIMITS) == NOBODY
    spoiled = gallery(range(5), range(0), StoredTemplate("bad", "p900", nonsense))
    match = spoiled.match(look(3), LIMITS)
    assert (match.person_id, match.is_named) == ("p003", True)


@pytest.mark.rule("R1")
def test_the_members_are_found_and_others_of_the_device_are_found_elsewhere() -> None:
    this = gallery(range(20), range(20, 60))
    for person in (0, 19, 20, 59):
        match = this.match(look(person), LIMITS)
        assert (match.person_id, match.is_named) == (f"p{person:03}", True)
        assert this.membership(f"p{person:03}") == ("trainee" if person < 20 else "elsewhere")
    assert not any(this.match(face(5000 + n), LIMITS).is_named for n in range(200))


@pytest.mark.promise("I9")
def test_other_classes_make_no_difference_to_the_cut_of_this_one_and_have_a_nearer_one() -> None:
    alone, among_many = gallery(range(20)).fitted(LIMITS), gallery(range(20), range(20, 300))
    of_class, elsewhere = among_many.fitted(LIMITS), among_many.fitted(LIMITS, "elsewhere")
    assert alone and of_class and elsewhere
    assert of_class.cut == pytest.approx(alone.cut, abs=1e-6)
    assert (of_class.people, elsewhere.people) == (20, 300)
    assert elsewhere.loosest < of_class.loosest


@pytest.mark.promise("I9")
def test_nobody_becomes_a_member_by_being_second_to_somebody_of_another_class() -> None:
    member = StoredTemplate("twin", "p700", face(700, like=30, share=0.65))
    this, seen = gallery(range(20), range(20, 40), member), look(30, share=0.95)
    of_class = this.fitted(LIMITS)
    assert of_class
    assert this.nearest(seen)["p700"] < of_class.cut
    match = this.match(seen, LIMITS)
    assert (match.person_id, this.membership("p030")) == ("p030", "elsewhere")


@pytest.mark.rule("R7")
@pytest.mark.promise("I9")
def test_people_who_look_alike_are_told_and_held_to_more() -> None:
    twin = StoredTemplate("twin", "p700", face(700, like=3, share=0.62))
    this = gallery(range(20), range(0), twin)
    assert this.look_alikes(LIMITS) == (("p003", "p700"),)
    plain, alike = this.match(look(4), LIMITS), this.match(look(3), LIMITS)
    assert (plain.is_look_alike, alike.is_look_alike) == (False, True)
    assert alike.margin_needed and plain.margin_needed
    assert alike.margin_needed > plain.margin_needed
    deliberation = Deliberation(LIMITS)
    conclusions = [deliberation.add(this.match(look(3, frame), LIMITS)) for frame in range(3)]
    assert conclusions[:2] == [None, None]
    assert conclusions[2] is not None
    assert (conclusions[2].person_id, conclusions[2].frames) == ("p003", 3)


def test_a_person_is_as_far_as_the_mean_of_their_templates_and_good_photos_count_more() -> None:
    def along(value: float, quality: float = 1.0) -> StoredTemplate:
        return StoredTemplate(f"{value}", "ann", np.array([value, 0.0], np.float32), quality)

    probe = np.array([0.0, 0.0], np.float32)
    assert TemplateMatrix([along(0.1), along(0.3)]).of_people(probe) == pytest.approx([0.2])
    weighted = TemplateMatrix([along(0.1, 0.9), along(0.3, 0.3)]).of_people(probe)
    assert weighted == pytest.approx([0.15])
    assert TemplateMatrix([along(0.1), along(0.3)]).nearest_of_people(probe) == pytest.approx([0.1])


@settings(max_examples=20)
@given(st.integers(0, 1000))
def test_the_order_of_templates_changes_no_match(seed: int) -> None:
    templates = [StoredTemplate(f"t{n}", f"p{n % 12:03}", face(n)) for n in range(30)]
    roles: dict[str, Membership] = {f"p{n:03}": "trainee" for n in range(8)}
    shuffled = [templates[n] for n in np.random.default_rng(seed).permutation(30)]
    one, other = Gallery(templates, roles, ENGINE), Gallery(shuffled, roles, ENGINE)
    for person in (0, 11):
        assert other.match(look(person), LIMITS) == one.match(look(person), LIMITS)


def vote(*frames: tuple[Match, float]) -> Conclusion | None:
    deliberation = Deliberation(LIMITS)
    for match, quality in frames:
        deliberation.add(match, quality)
    return deliberation.conclusion


NAMED = Match("ann", 0.4, 0.2, is_near=True, is_named=True, cut=0.5, margin_needed=0.04)
FAR = Match("bob", 0.62, 0.01, is_near=False, is_named=False, cut=0.5, margin_needed=0.04)


@pytest.mark.promise("I9")
def test_blurred_frames_give_no_name_against_a_sharp_one_that_does_not() -> None:
    assert vote((NAMED, 0.1), (FAR, 0.9), (NAMED, 0.1)) is None
    named = vote((NAMED, 0.8), (FAR, 0.9), (NAMED, 0.8))
    assert named is not None
    assert named.person_id == "ann"


@pytest.mark.promise("I9")
def test_only_a_vote_without_a_dissenter_is_one_frame_short() -> None:
    def is_one_short(*frames: Match, frames_that_agree: int = 2) -> bool:
        deliberation = Deliberation(replace(LIMITS, frames_that_agree=frames_that_agree))
        for match in frames:
            deliberation.add(match)
        return deliberation.is_one_short

    alike, other = replace(NAMED, is_look_alike=True), replace(NAMED, person_id="bob")
    assert (
        is_one_short(NAMED) and is_one_short(alike, alike) and is_one_short(NAMED, NAMED, frames_that_agree=3)
    )
    assert not is_one_short() and not is_one_short(FAR) and not is_one_short(FAR, NAMED)
    assert not is_one_short(alike) and not is_one_short(NAMED, frames_that_agree=3)
    assert not is_one_short(NAMED, NAMED), "the name is given"
    assert not is_one_short(NAMED, other), "nobody's"


def test_a_conclusion_tells_the_limits_it_was_held_to_and_nobodys_name() -> None:
    unknown = vote(*[(FAR, 1.0)] * 4)
    assert unknown is not None
    assert unknown.numbers() == {
        "finding": "unknown",
        "frames": 4,
        "distance": 0.62,
        "cut": 0.5,
        "margin": None,
        "margin_needed": 0.04,
    }


def test_hr_can_only_make_the_cut_nearer() -> None:
    this = gallery(range(20))
    usual = this.fitted(LIMITS)
    strict = this.fitted(replace(LIMITS, match_distance=0.3))
    loose = this.fitted(replace(LIMITS, match_distance=0.9))
    assert usual and strict and loose
    assert (strict.cut, strict.bound) == (0.3, "hr")
    assert loose.cut <= BASELINE.at_large.cut(rate_per_comparison(LIMITS.false_match_rate, 20))
    wide = this.fitted(replace(LIMITS, margin=0.2))
    assert wide is not None
    assert wide.margin == 0.2
