"""`enrol`: a face to a name of the roster. The page will do the same by agent/checkin/enrolment.py.

Imports that load models stay inside the commands: `--help` must not cost 50 MB.
"""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn, Protocol

import typer

from agent.cli.commissioning import PasswordFile, require_hr

if TYPE_CHECKING:
    from agent.settings import Settings
    from agent.store.database import Store
    from models.images import BGRImage

REFUSED, USAGE, FAULT = 1, 2, 3
"""Exit codes, as the program's help names them."""

MAX_PHOTO_BYTES = 30_000_000
MAX_SIDE_PX = 2000
"""Larger photos are made smaller first: a telephone's 12 megapixels would be searched for seconds."""


class _Invocation(Protocol):
    def settings(self) -> Settings: ...


def enrol_command(
    context: typer.Context,
    photos: Annotated[
        list[Path],
        typer.Argument(
            metavar="PHOTO",
            help="本人的照片，两三张更好 / Photos of the person; two or three are better.",
        ),
    ],
    class_id: Annotated[str, typer.Option("--class", metavar="CLASS", help="班级编号 / Id of the class.")],
    person_name: Annotated[
        str | None, typer.Option("--person-name", metavar="NAME", help="名册上的姓名 / Name on the roster.")
    ] = None,
    person_id: Annotated[
        str | None, typer.Option("--person-id", metavar="ID", help="或人员编号 / Or the person's id.")
    ] = None,
    consent_version: Annotated[
        str | None,
        typer.Option(
            "--consent-version",
            metavar="VERSION",
            help="同意书版本；已有记录时可省略 / Version of the consent text agreed to; "
            "may be left out when one is recorded.",
        ),
    ] = None,
    recorded_by: Annotated[
        str | None,
        typer.Option("--recorded-by", metavar="WHO", help="记录同意的人 / Who records the consent."),
    ] = None,
    password_file: PasswordFile = None,
) -> None:
    """用照片登记人脸（正式环境须输入人社部门密码）/ Enrol a face (in production with HR's password).

    \b
    人员须已在班级名册中，并已同意采集人脸。特征和照片中的人脸加密保存在本机，撤回同意即销毁。
    The person must be on the roster and must have consented. Templates and the faces of the photos are kept
    sealed on this device and destroyed when consent is withdrawn.
    """
    from agent.checkin.consent import Consent
    from agent.checkin.enrolment import EnrolmentRefusedError, enrol
    from agent.checkin.situation import thresholds_in_force
    from agent.clock import SystemClock
    from agent.configuration.document import ConfigurationError
    from agent.store.database import Store, StoreError
    from agent.store.vault import Vault
    from models.faces import choose_engine
    from models.weights import ModelError

    invocation: _Invocation = context.obj
    settings = invocation.settings()
    if (person_name is None) == (person_id is None):
        _end("请给出 --person-name 或 --person-id 之一 / give either --person-name or --person-id", USAGE)
    images = [read_photo(path) for path in photos]
    consent = None
    if consent_version is not None:
        try:
            consent = Consent(consent_version, recorded_by or f"cli:{getpass.getuser()}")
        except ValueError as error:
            _end(str(error), USAGE)
    try:
        with Store(settings.paths.database) as store:
            require_hr(settings, store, password_file)
            found_id = _person_id(store, class_id, person_name, person_id)
            thresholds = thresholds_in_force(store)
            enrolment = enrol(
                store,
                Vault(settings.paths.keys),
                choose_engine(
                    settings.checkin.engine,
                    min_face_px=thresholds.min_face_px,
                    models_folder=settings.checkin.models_folder,
                ).engine,
                SystemClock().now(),
                found_id,
                images,
                consent,
                thresholds,
                simulated=settings.node.environment != "production",
            )
    except EnrolmentRefusedError as error:
        _end(f"未登记 / not enrolled:\n{error}", REFUSED)
    except (ModelError, StoreError, ConfigurationError) as error:
        _end(f"故障 / fault: {error}", FAULT)
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


def read_photo(path: Path) -> BGRImage:
    """The picture in `path`, upright, at most MAX_SIDE_PX long; ends the command if it is none."""
    import cv2
    import numpy as np

    try:
        if path.stat().st_size > MAX_PHOTO_BYTES:
            _end(f"{path}: 文件超过 30 MB / larger than 30 MB; 请用较小的照片 / use a smaller photo", USAGE)
        content = np.frombuffer(path.read_bytes(), dtype=np.uint8)
    except OSError as error:
        _end(f"{path}: 读不了 / cannot be read: {error.strerror}", USAGE)
    image = cv2.imdecode(content, cv2.IMREAD_COLOR) if content.size else None
    if image is None:
        _end(f"{path}: 不是 JPEG 或 PNG 照片 / is no JPEG or PNG photo", USAGE)
    scale = MAX_SIDE_PX / max(image.shape[:2])
    if scale < 1:
        image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.asarray(image, dtype=np.uint8)


def _person_id(store: Store, class_id: str, name: str | None, person_id: str | None) -> str:
    """The one person of the class who is meant; ends the command when there is none or more than one."""
    from agent.store.classes import people_of, training_class

    if training_class(store, class_id) is None:
        _end(f"没有班级 {class_id}，请先导入 / there is no class {class_id}; import it first", USAGE)
    people = people_of(store, class_id)
    found = [person for person in people if person.id == person_id or (name and person.name == name)]
    if not found:
        _end(
            f"班级 {class_id} 的名册里没有此人，请核对或先导入名册 / "
            f"not on the roster of class {class_id}; check the name or import the roster first",
            USAGE,
        )
    if len(found) > 1:
        choices = ", ".join(f"{person.id} (…{person.id_number_last4 or '????'})" for person in found)
        _end(f"有同名者，请用 --person-id / several have this name, use --person-id: {choices}", USAGE)
    return found[0].id


def _end(sentence: str, code: int) -> NoReturn:
    typer.echo(sentence, err=True)
    raise typer.Exit(code)
