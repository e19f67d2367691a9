"""`enrol …`: a face to a name of the roster: from photos, a folder or zip of them, or at the door camera.

Imports that load models stay inside the commands: `--help` must not cost 50 MB.
"""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli.commissioning import PasswordFile, hr_store, require_hr
from agent.cli.common import EXIT_CODES, ExitCode, invocation, open_store, refuse
from agent.cli.naming import ClassOption, Name, PersonId, class_named, one_of, person_in_class

if TYPE_CHECKING:
    from agent.checkin.consent import Consent
    from agent.checkin.enrolment import Enrolment
    from agent.checkin.photo_file import PhotoReader
    from agent.checkin.thresholds import CheckinThresholds
    from agent.settings import Settings
    from agent.store.database import Store
    from agent.store.vault import Vault
    from models.faces import FaceEngine
    from models.images import BGRImage

enrol_app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None)

ConsentVersion = Annotated[
    str | None,
    typer.Option(
        "--consent-version",
        metavar="VERSION",
        help="同意书版本；已有记录时可省略 / Version of the consent text agreed to; "
        "may be left out when one is recorded.",
    ),
]
RecordedBy = Annotated[
    str | None,
    typer.Option("--recorded-by", metavar="WHO", help="记录同意的人 / Who records the consent."),
]


@dataclass(frozen=True, slots=True)
class _Desk:
    """What an enrolment needs, with HR's password given."""

    settings: Settings
    store: Store
    vault: Vault
    engine: FaceEngine
    thresholds: CheckinThresholds
    consent: Consent | None

    def enrol(self, person_id: str, photos: list[BGRImage], *, simulated: bool = False) -> Enrolment:
        """EnrolmentRefusedError."""
        from agent.checkin.enrolment import enrol
        from agent.clock import SystemClock

        return enrol(
            self.store,
            self.vault,
            self.engine,
            SystemClock().now(),
            person_id,
            photos,
            self.consent,
            self.thresholds,
            simulated=simulated or self.settings.simulated,
        )


@enrol_app.callback()
def enrol_group() -> None:
    """登记人脸（正式环境须输入人社部门密码）/ Enrol faces (in production with HR's password).

    \b
    人员须已在班级名册中，并已同意采集人脸。特征和人脸照片只加密保存在本机，撤回同意即销毁密钥。
    The person must be on the roster and must have consented. Templates and face photos are kept sealed on
    this device alone; withdrawing the consent destroys their key.
    """


@enrol_app.command("photos", epilog=EXIT_CODES)
def photos_command(
    context: typer.Context,
    photos: Annotated[
        list[Path],
        typer.Argument(
            metavar="PHOTO",
            help="本人的照片，两三张更好 / Photos of the person; two or three are better.",
        ),
    ],
    class_id: ClassOption,
    person_name: Name = None,
    person_id: PersonId = None,
    consent_version: ConsentVersion = None,
    recorded_by: RecordedBy = None,
    password_file: PasswordFile = None,
) -> None:
    """用照片登记一个人 / Enrol one person from photos."""
    from agent.checkin.enrolment import EnrolmentRefusedError
    from agent.checkin.photo_file import PhotoReader

    one_of(person_name, person_id)
    with PhotoReader() as reader:
        images = [read_photo(reader, path) for path in photos]
    with _desk(context, consent_version, recorded_by, password_file) as desk:
        found_id = person_in_class(desk.store, class_id, person_name, person_id).id
        try:
            _say(desk.enrol(found_id, images))
        except EnrolmentRefusedError as error:
            refuse(f"未登记 / not enrolled:\n{error}")


@enrol_app.command("folder", epilog=EXIT_CODES)
def folder_command(
    context: typer.Context,
    source: Annotated[Path, typer.Argument(metavar="FOLDER|FILE.zip")],
    class_id: ClassOption,
    consent_version: ConsentVersion = None,
    recorded_by: RecordedBy = None,
    password_file: PasswordFile = None,
) -> None:
    """从文件夹或 zip 登记全班 / Enrol a class from a folder or zip.

    \b
    文件名写人员编号、姓名，或身份证号末四位以上；同一人多张加 _2、_3。逐个文件报告结果。
    A file's name is the person's id, name, or the last four or more characters of the ID number; _2, _3 for
    more of one person. Every file gets its line.
    """
    from agent.checkin.enrolment import EnrolmentRefusedError
    from agent.checkin.photo_batch import BatchError, Roster, read_batch
    from agent.checkin.photo_file import PhotoFileError, PhotoReader

    wrong = 0
    photos: dict[str, list[BGRImage]] = {}
    with _desk(context, consent_version, recorded_by, password_file) as desk:
        class_named(desk.store, class_id)
        roster = Roster(desk.store, desk.vault, class_id)
        with PhotoReader() as reader:
            try:
                for entry in read_batch(source):
                    people = roster.named(entry.name)
                    try:
                        if entry.content is None:
                            raise PhotoFileError("不是可用的照片文件", "no photo file that can be used")
                        image = reader.read(entry.content)
                        if len(people) != 1:
                            raise PhotoFileError(
                                "名册上没有此人" if not people else "名册上有几个人符合",
                                "nobody on the roster" if not people else "several on the roster",
                            )
                    except PhotoFileError as error:
                        wrong += 1
                        typer.echo(f"✘ {entry.label}: {error}")
                    else:
                        photos.setdefault(people[0].id, []).append(image)
                        typer.echo(f"· {entry.label} → {people[0].id}")
            except BatchError as error:
                refuse(str(error), ExitCode.USAGE)
        for person_id, images in photos.items():
            try:
                _say(desk.enrol(person_id, images))
            except EnrolmentRefusedError as error:
                wrong += 1
                typer.echo(f"✘ {person_id}: 未登记 / not enrolled:\n{error}")
    if wrong:
        raise typer.Exit(ExitCode.REFUSED)


@enrol_app.command("camera", epilog=EXIT_CODES)
def camera_command(
    context: typer.Context,
    class_id: ClassOption,
    person_name: Name = None,
    person_id: PersonId = None,
    consent_version: ConsentVersion = None,
    recorded_by: RecordedBy = None,
    password_file: PasswordFile = None,
    seconds: Annotated[
        int, typer.Option("--seconds", min=5, max=300, help="最多拍多久 / How long to try.")
    ] = 60,
) -> None:
    """在门口摄像头前登记一个人，边拍边提示 / Enrol one person at the door camera, with live guidance."""
    from agent.checkin.enrolment import EnrolmentRefusedError
    from agent.checkin.guided_enrolment import Guidance, Guide, Step, door_pictures
    from agent.clock import SystemClock

    one_of(person_name, person_id)
    with _desk(context, consent_version, recorded_by, password_file) as desk:
        found_id = person_in_class(desk.store, class_id, person_name, person_id).id
        guide, last, simulated = Guide(desk.engine, desk.thresholds), None, False
        clock = SystemClock()
        for shown in door_pictures(desk.settings.paths.frames, lambda: clock.now().wall_us, seconds):
            guidance = Guidance(Step.NO_PICTURE, 0) if shown is None else guide.look(shown[0])
            simulated = simulated or (shown is not None and shown[1])
            if guidance != last:
                typer.echo(f"[{guidance.taken}] {' / '.join(guidance.said)}")
            last = guidance
            if guidance.step is Step.DONE:
                break
        if not guide.photos:
            refuse("没有拍到可用的照片，未登记 / no usable picture; not enrolled")
        try:
            _say(desk.enrol(found_id, guide.photos, simulated=simulated))
        except EnrolmentRefusedError as error:
            refuse(f"未登记 / not enrolled:\n{error}")


@enrol_app.command("withdraw", epilog=EXIT_CODES)
def withdraw_command(
    context: typer.Context,
    class_id: ClassOption,
    person_name: Name = None,
    person_id: PersonId = None,
    password_file: PasswordFile = None,
) -> None:
    """撤回同意：销毁此人的人脸特征和密钥 / Withdraw the consent: templates and their key are destroyed."""
    from agent.checkin.consent import current_consent, withdraw_consent
    from agent.clock import SystemClock
    from agent.store.vault import Vault

    one_of(person_name, person_id)
    with hr_store(context, password_file) as (settings, store):
        found_id = person_in_class(store, class_id, person_name, person_id).id
        if current_consent(store, found_id) is None:  # or the record would state what never was
            refuse(
                f"{found_id} 没有同意记录，无可撤回 / has given no consent that stands: nothing to withdraw"
            )
        stamp = SystemClock().now()
        withdraw_consent(store, Vault(settings.paths.keys), stamp, found_id, simulated=settings.simulated)
    typer.echo(f"已撤回并销毁 {found_id} / withdrawn and destroyed: {found_id}")


@contextmanager
def _desk(
    context: typer.Context, consent_version: str | None, recorded_by: str | None, password_file: Path | None
) -> Iterator[_Desk]:
    """The store with HR's password checked, and the engine that the door uses."""
    from agent.checkin.consent import Consent
    from agent.checkin.situation import thresholds_in_force
    from agent.configuration.document import ConfigurationError
    from agent.store.vault import Vault
    from models.faces import choose_engine
    from models.weights import ModelError

    settings = invocation(context).settings()
    consent = None
    if consent_version is not None:
        try:
            consent = Consent(consent_version, recorded_by or f"cli:{getpass.getuser()}")
        except ValueError as error:
            refuse(str(error), ExitCode.USAGE)
    try:
        with open_store(settings) as store:
            require_hr(settings, store, password_file)
            thresholds = thresholds_in_force(store)
            wanted = settings.checkin
            engine = choose_engine(
                wanted.engine, min_face_px=thresholds.min_face_px, models_folder=wanted.models_folder
            ).engine
            yield _Desk(settings, store, Vault(settings.paths.keys), engine, thresholds, consent)
    except (ModelError, ConfigurationError) as error:
        refuse(f"故障 / fault: {error}", ExitCode.FAULT)


def _say(enrolment: Enrolment) -> None:
    typer.echo(
        f"已登记 {enrolment.person_id}：{enrolment.templates} 个特征 / "
        f"enrolled {enrolment.person_id}: {enrolment.templates} templates"
    )
    if enrolment.look_alikes:
        others = ", ".join(enrolment.look_alikes)
        typer.echo(
            f"注意：与 {others} 长得很像，签到可能需要其他方式 / "
            f"note: looks much like {others}; check-in may need the other way"
        )


def read_photo(reader: PhotoReader, path: Path) -> BGRImage:
    """The picture in `path`, upright, at most 2000 px long; ends the command if it is none."""
    from agent.checkin.photo_file import LARGEST_BYTES, PhotoFileError

    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_BYTES + 1)
        return reader.read(content)
    except OSError as error:
        refuse(f"{path}: 读不了 / cannot be read: {error.strerror}", ExitCode.USAGE)
    except PhotoFileError as error:
        refuse(f"{path}: {error}", ExitCode.USAGE)
