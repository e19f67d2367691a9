"""`classroom-agent enrol` as the operator uses it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from agent.cli.common import Invocation
from agent.cli.enrol import enrol_app
from agent.paths import Paths
from agent.settings import Settings
from tests.checkin.classroom import CLASS, Classroom
from tests.sample_media import sample_files


@dataclass(frozen=True)
class Told(Invocation):
    """What the program's own top command puts into the context."""

    paths: Paths
    environment: str = "demonstration"

    def settings(self) -> Settings:
        return Settings.model_validate(
            {
                "node": {"institution": "I1", "room": "R1", "node": "n1", "environment": self.environment},
                "storage": {
                    "state": self.paths.state,
                    "video": self.paths.video,
                    "runtime": self.paths.runtime,
                },
                "cameras": {},
            }
        )


def enrol(
    paths: Paths, *arguments: str | Path, environment: str = "demonstration", by: str = "photos"
) -> Result:
    told = Told(Path("unused"), paths, environment)
    return CliRunner().invoke(enrol_app, [by, *(str(argument) for argument in arguments)], obj=told)


def photo(name: str) -> Path:
    return sample_files()[name]


def test_a_person_of_the_roster_is_enrolled_by_name(classroom: Classroom, paths: Paths) -> None:
    person = classroom.add_person(name="张三")
    done = enrol(
        paths,
        "--class",
        CLASS,
        "--person-name",
        "张三",
        "--consent-version",
        "2026-1",
        "--recorded-by",
        "hr",
        photo("obama.jpg"),
        photo("obama2.jpg"),
    )
    assert done.exit_code == 0, done.output
    assert person in done.output
    assert "张三" not in done.output
    assert len(classroom.store.rows("SELECT 1 FROM template WHERE person_id = ?", (person,))) == 2
    assert classroom.facts("person.enrolled")[0][0]["simulated"] == 1


@pytest.mark.promise("I7")
def test_without_consent_the_refusal_names_the_remedy(classroom: Classroom, paths: Paths) -> None:
    person = classroom.add_person()
    done = enrol(paths, "--class", CLASS, "--person-id", person, photo("obama.jpg"))
    assert done.exit_code == 1
    assert "同意" in done.output
    assert "consent" in done.output
    assert not classroom.store.rows("SELECT 1 FROM template")


def test_two_of_one_name_must_be_told_apart_by_id(classroom: Classroom, paths: Paths) -> None:
    one, other = classroom.add_person(name="李四"), classroom.add_person(name="李四")
    done = enrol(paths, "--class", CLASS, "--person-name", "李四", photo("obama.jpg"))
    assert done.exit_code == 2
    assert one in done.output
    assert other in done.output


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["--class", "C9", "--person-id", "x"], 1, "no such class"),
        (["--class", CLASS, "--person-id", "x"], 2, "not on the roster"),
        (["--class", CLASS], 2, "give either"),
        (["--class", CLASS, "--person-id", "x", "--consent-version", ""], 2, "expected 1 to 64 characters"),
        (["--class", CLASS, "--person-id", "x", "--person-name", "y"], 2, "give either"),
    ],
)
def test_a_wrong_call_says_what_is_wrong(
    classroom: Classroom, paths: Paths, arguments: list[str], code: int, sentence: str
) -> None:
    done = enrol(paths, *arguments, photo("obama.jpg"))
    assert done.exit_code == code
    assert sentence in done.output


def test_a_file_that_is_no_photo_is_named(classroom: Classroom, paths: Paths, tmp_path: Path) -> None:
    person = classroom.add_person()
    for name, content in (("empty.jpg", b""), ("text.jpg", b"no picture"), ("missing.jpg", None)):
        path = tmp_path / name
        if content is not None:
            path.write_bytes(content)
        done = enrol(paths, "--class", CLASS, "--person-id", person, path)
        assert done.exit_code == 2
        assert name in done.output


@pytest.mark.rule("R7")
def test_in_production_nobody_is_enrolled_without_hrs_password(
    classroom: Classroom, paths: Paths, tmp_path: Path
) -> None:
    """Whoever may put a face to a name decides who is present: HR compares them (annex 6, item 1)."""
    person = classroom.add_person()
    secret = tmp_path / "password"
    secret.write_text("the technician's guess\n", encoding="utf-8")
    named = ("--class", CLASS, "--person-id", person, "--consent-version", "2026-1")
    done = enrol(paths, *named, "--password-file", secret, photo("obama.jpg"), environment="production")
    assert done.exit_code == 1
    assert "password" in done.output
    assert not classroom.store.rows("SELECT 1 FROM template")
    assert not classroom.store.rows("SELECT 1 FROM consent")
