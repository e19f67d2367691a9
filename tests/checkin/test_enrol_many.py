"""A class enrolled from a folder or zip, one person at the door camera, and a consent withdrawn."""

from __future__ import annotations

import shutil
import threading
import zipfile
from pathlib import Path

import cv2
import pytest

from agent import board
from agent.checkin.gate import GateReason
from agent.checkin.guided_enrolment import SAID, Guidance, Guide, Step, door_pictures
from agent.checkin.photo_batch import Roster, read_batch
from agent.checkin.photos import encode_jpeg
from agent.clock import SystemClock
from agent.paths import Paths
from models.images import BGRImage
from tests.checkin.classroom import CLASS, Classroom
from tests.checkin.doorway import Standing, scene
from tests.checkin.test_enrol_command import enrol, photo
from tests.classes.documents import id_number
from tests.sample_media import sample_photo

NUMBER = id_number(7)


def roster(classroom: Classroom) -> dict[str, str]:
    """Three people: by id, by name, by ID number."""
    people = {word: classroom.add_person(name=f"样例{word}") for word in ("一", "二", "三")}
    with classroom.store.transaction():
        classroom.vault.create_person_key(classroom.store, people["三"], "evidence")
        sealed = classroom.vault.seal(classroom.store, people["三"], "evidence", NUMBER.encode())
    classroom.store.execute(
        "UPDATE person SET id_number_sealed = ?, id_number_last4 = ? WHERE id = ?",
        (sealed, NUMBER[-4:], people["三"]),
    )
    return people


@pytest.mark.rule("R1")
def test_a_folder_enrols_whom_its_names_mean_and_every_other_file_gets_its_line(
    classroom: Classroom, paths: Paths, tmp_path: Path
) -> None:
    people, folder = roster(classroom), tmp_path / "photos"
    folder.mkdir()
    for name, sample in {
        f"{people['一']}.jpg": "obama.jpg",
        f"{people['一']}_2.jpg": "obama2.jpg",
        "样例二.jpg": "biden.jpg",
        f"{NUMBER[-6:]}.jpg": "biden.jpg",  # one face under two people: the second is refused
        "9999.jpg": "obama.jpg",
        f"0{NUMBER[-6:]}.jpg": "obama.jpg",
    }.items():
        shutil.copy(photo(sample), folder / name)
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no photo")
    (folder / "notes.txt").write_text("…", encoding="utf-8")
    (folder / "link.jpg").symlink_to(photo("obama.jpg"))
    done = enrol(paths, folder, "--class", CLASS, "--consent-version", "2026-1", by="folder")
    assert done.exit_code == 1
    counts = {word: _templates(classroom, person) for word, person in people.items()}
    assert counts == {"一": 2, "二": 0, "三": 1}, done.output
    assert "already enrolled" in done.output
    assert done.output.count("✘") == 6
    assert NUMBER[-6:] not in done.output
    assert "样例" not in done.output


def _templates(classroom: Classroom, person: str) -> int:
    return len(classroom.store.rows("SELECT 1 FROM template WHERE person_id = ?", (person,)))


@pytest.mark.promise("I12")
def test_a_zip_is_read_in_memory_and_its_paths_lead_nowhere(
    classroom: Classroom, paths: Paths, tmp_path: Path
) -> None:
    person = classroom.add_person()
    archive = tmp_path / "photos.zip"
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.write(photo("obama.jpg"), f"../../{person}.jpg")
        zipped.writestr("/etc/cron.d/evil.png", b"* * * * * root true")
        zipped.writestr("a/../../$(touch evil).jpg", b"x")
        zipped.writestr("'; DROP TABLE person; --.jpg", photo("obama.jpg").read_bytes())
    before = sorted(tmp_path.rglob("*"))
    done = enrol(paths, archive, "--class", CLASS, "--consent-version", "1", by="folder")
    assert done.exit_code == 1
    assert _templates(classroom, person) == 1
    assert done.output.count("✘") == 3
    assert [
        path for path in sorted(tmp_path.rglob("*")) if path not in before and "state" not in str(path)
    ] == []


@pytest.mark.parametrize("encoding", ["gb18030", "utf-8"], ids=["windows", "macos"])
def test_a_zip_whose_names_do_not_say_their_encoding_names_people(
    classroom: Classroom, tmp_path: Path, encoding: str
) -> None:
    people, archive = roster(classroom), tmp_path / "photos.zip"
    name = "照片/样例二_2.jpg".encode(encoding)
    stand_in = "x" * len(name)
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr(stand_in, b"a photo")
    archive.write_bytes(archive.read_bytes().replace(stand_in.encode(), name))
    (entry,) = read_batch(archive)
    assert entry.content == b"a photo"
    found = Roster(classroom.store, classroom.vault, CLASS).named(entry.name)
    assert [person.id for person in found] == [people["二"]]


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x03\x04" + bytes(200)])
def test_what_is_no_zip_is_named(classroom: Classroom, paths: Paths, tmp_path: Path, content: bytes) -> None:
    archive = tmp_path / "photos.zip"
    archive.write_bytes(content)
    done = enrol(paths, archive, "--class", CLASS, "--consent-version", "1", by="folder")
    assert done.exit_code == 2
    assert "zip" in done.output


def test_the_guide_says_what_is_missing_and_takes_different_poses(classroom: Classroom) -> None:
    guide = Guide(classroom.engine, classroom.thresholds)
    empty = scene()
    assert guide.look(empty).step is Step.NOBODY
    assert guide.look(sample_photo("t1.jpg")).step is Step.SEVERAL
    assert guide.look(scene(Standing("obama.jpg", face_px=180, light=0.15))).step in set(GateReason)
    first = guide.look(scene(Standing("obama.jpg")))
    assert first == Guidance(Step.TAKEN, 1)
    again = guide.look(scene(Standing("obama.jpg"), seed=1))
    assert again == Guidance(Step.TURN, 1)
    assert all(len(said) == 2 and all(said) for said in SAID.values())


def test_at_the_door_camera_one_is_enrolled_by_its_published_pictures(
    classroom: Classroom, paths: Paths
) -> None:
    person, stop = classroom.add_person(), threading.Event()
    pictures: list[BGRImage] = [scene(Standing(name)) for name in ("obama.jpg", "obama2.jpg", "obama3.jpg")]

    def publish() -> None:
        number = 0
        while not stop.wait(0.1):
            image = pictures[number % len(pictures)]
            about = {"at_us": SystemClock().now().wall_us, "width": image.shape[1], "simulated": True}
            board.publish_frame(paths.frames, "door", encode_jpeg(image), about)
            number += 1

    thread = threading.Thread(target=publish)
    thread.start()
    try:
        named = ("--class", CLASS, "--person-id", person, "--consent-version", "1", "--seconds", "8")
        done = enrol(paths, *named, by="camera")
    finally:
        stop.set()
        thread.join()
    assert done.exit_code == 0, done.output
    assert "One picture taken" in done.output
    assert _templates(classroom, person) >= 1
    assert classroom.facts("person.enrolled")[0][0]["simulated"] == 1


def test_without_a_door_it_is_said(paths: Paths) -> None:
    assert list(door_pictures(paths.frames, lambda: 10_000_000, 1.3)) == [None]
    about = {"at_us": 1, "width": 4}
    board.publish_frame(paths.frames, "door", cv2.imencode(".jpg", scene())[1].tobytes(), about)
    assert list(door_pictures(paths.frames, lambda: 10_000_000, 1.3)) == [None], "an old picture is none"


@pytest.mark.promise("I7")
def test_withdrawing_at_the_console_destroys_key_and_templates(classroom: Classroom, paths: Paths) -> None:
    person = classroom.enrolled("obama.jpg")
    done = enrol(paths, "--class", CLASS, "--person-id", person, by="withdraw")
    assert done.exit_code == 0, done.output
    assert not classroom.store.rows("SELECT 1 FROM template")
    assert not classroom.store.rows("SELECT 1 FROM enrolment_photo")
    assert not classroom.vault.has_key(classroom.store, person, "template")
    again = enrol(paths, "--class", CLASS, "--person-id", person, by="withdraw")
    assert again.exit_code == 1 and "nothing to withdraw" in again.output
    assert len(classroom.facts("person.consent-withdrawn")) == 1, "no record of what did not happen"
