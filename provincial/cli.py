"""`classroom-receiver`: thin commands over the receiver's parts."""

from __future__ import annotations

import json
import signal
import threading
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from agent.evidence.device_card import CardError, read_device_card
from agent.evidence.keys import FileSigningKey, KeyFileError, create_key_file, load
from agent.log import configure_logging
from provincial import pki
from provincial.archive import Archive, ArchiveError
from provincial.configuration import Configuration, ConfigurationError, load_configuration
from provincial.wallclock import now_us

REFUSED, USAGE, FAULT = 1, 2, 3

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    help="省级接收端参考实现：接收、核验、回执。\n\n"
    "Reference receiver of the provincial side: stores, verifies, receipts.",
)
pki_app = typer.Typer(no_args_is_help=True, help="传输证书 / Certificates of the transport.")
app.add_typer(pki_app, name="pki")

Config = Annotated[
    Path, typer.Option("--config", metavar="FILE", help="接收端配置 / The receiver's configuration.")
]


def _refuse(sentence: str, code: int = USAGE) -> NoReturn:
    typer.echo(sentence, err=True)
    raise typer.Exit(code)


def _configuration(path: Path) -> Configuration:
    try:
        return load_configuration(path)
    except ConfigurationError as error:
        _refuse(str(error))


def _archive(configuration: Configuration) -> Archive:
    try:
        return Archive(configuration.receiver.database)
    except ArchiveError as error:
        _refuse(str(error), FAULT)


def _key(path: Path) -> FileSigningKey:
    try:
        return load(path)
    except KeyFileError as error:
        _refuse(str(error) if path.exists() else f"{error}: classroom-receiver keygen {path}")


@app.command("run")
def run_command(config: Config) -> None:
    """运行，直到收到停止信号 / Run until it is told to stop (SIGTERM, Ctrl-C)."""
    from provincial.link import Link
    from provincial.receiver import Receiver, filters_for

    configuration = _configuration(config)
    key = _key(configuration.receiver.key_file)
    tls = configuration.broker
    for file in (tls.ca_file, tls.certificate_file, tls.key_file):
        if not file.is_file():
            _refuse(f"[broker] 文件不存在 / the file is not there: {file}")
    archive = _archive(configuration)
    try:
        link = Link(
            configuration.broker, configuration.receiver.client_id, filters_for(configuration.receiver.shards)
        )
    except OSError as error:  # ssl.SSLError is one
        _refuse(f"[broker] 证书或私钥不可用 / certificate or key cannot be used: {error}")
    configure_logging("receiver")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    link.start()
    try:
        Receiver(archive, link, key, quarantine_messages=configuration.receiver.quarantine_messages).run(stop)
    finally:
        link.stop()
        archive.close()


@app.command("keygen")
def keygen_command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="私钥文件 / File for the private key.")],
) -> None:
    """生成回执签名密钥，公钥另存 FILE.public / Make the key that signs receipts; nodes get FILE.public."""
    try:
        create_key_file(file)
        key = load(file)
        public = file.with_name(f"{file.name}.public")
        public.write_text(json.dumps(key.public_jwk) + "\n", encoding="utf-8")
    except FileExistsError:
        _refuse(f"文件已存在，不会覆盖 / {file} exists and is not overwritten", REFUSED)
    except OSError as error:
        _refuse(f"{file}: {error.strerror}", FAULT)
    typer.echo(f"公钥 / public key: {public}\nkid: {key.kid}")


@app.command("register")
def register_command(
    card: Annotated[Path, typer.Argument(metavar="CARD.json", help="设备卡 / The node's device card.")],
    config: Config,
) -> None:
    """登记设备的公钥 / Believe a node's keys from now on."""
    try:
        content = read_device_card(card)
    except (OSError, CardError) as error:
        _refuse(f"设备卡不可用 / the device card cannot be used: {error}")
    if not content.signing_keys:
        _refuse(
            f"{card}: 设备卡上还没有签名公钥，请先启动设备 / no signing key yet: start the node first",
            REFUSED,
        )
    archive = _archive(_configuration(config))
    added = archive.register(content, now_us())
    archive.close()
    typer.echo(f"{content.source}: 新登记 {added} 个公钥 / {added} new keys")
    for key in content.signing_keys:
        typer.echo(f"  kid {key.kid}")


@app.command("status")
def status_command(
    config: Config, as_json: Annotated[bool, typer.Option("--json", help="JSON")] = False
) -> None:
    """每台设备收到多少、核验到哪里 / What has come from each node, and how far it is proven."""
    from provincial.report import status

    archive = _archive(_configuration(config))
    found = status(archive)
    archive.close()
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False))
        return
    for name in found["denied"]:
        typer.echo(
            f"服务器不允许订阅 {name}，收不到这些报文：请在服务器的访问列表中放行本接收端的证书名，再重启 / "
            f"the broker denies {name}, which is not heard: allow this receiver's certificate name in the "
            "broker's access list, restart the receiver"
        )
    for node in found["nodes"]:
        _say_node(node)
    typer.echo(
        f"隔离 {found['quarantined']} 条，另有 {found['dropped']} 条只计数 / "
        f"{found['quarantined']} messages in quarantine, {found['dropped']} more only counted"
    )


def _say_node(node: dict[str, Any]) -> None:
    typer.echo(
        f"{node['source']}: 记录 {node['records']}，连续至 {node['linked_through']}，"
        f"待核验 {node['unjudged']}，不合格 {node['verdicts']}，分叉 {node['forks']}，"
        f"已会签封印 {node['seals']} / "
        f"{node['records']} records, contiguous to {node['linked_through']}, {node['unjudged']} to judge, "
        f"{node['verdicts']} bad, {node['forks']} forks, {node['seals']} seals cosigned"
    )


@app.command("verify")
def verify_command(
    config: Config,
    source: Annotated[
        str | None, typer.Option("--source", help="只核验一台 / One node only (its URN).", show_default=False)
    ] = None,
) -> None:
    """从头核验，指出第一条有问题的记录 / Verify the archive anew; name each node's first bad record."""
    from provincial.report import verify_source

    archive = _archive(_configuration(config))
    sources = [row["source"] for row in archive.execute("SELECT DISTINCT source FROM record ORDER BY source")]
    chosen = [name for name in sources if source in (None, name)]
    if not chosen:
        _refuse(f"没有记录 / no records{' of ' + source if source else ''}", REFUSED)
    bad = 0
    for name in chosen:
        verdict = verify_source(archive, name)
        if verdict.failure is None:
            typer.echo(
                f"{name}: 完好 {verdict.last} 条，封印 {verdict.seals} 个 / {verdict.last} records good"
            )
        else:
            bad += 1
            failure = verdict.failure
            typer.echo(
                f"{name}: 第 {failure.sequence} 条不合格（{failure.code}）/ "
                f"BAD: record {failure.sequence} ({failure.code}): {failure.detail}"
            )
    archive.close()
    raise typer.Exit(REFUSED if bad else 0)


PkiFolder = Annotated[
    Path, typer.Option("--folder", metavar="FOLDER", help="颁发机构的文件夹 / The CA's folder.")
]


@pki_app.command("init")
def pki_init_command(folder: PkiFolder) -> None:
    """建立传输证书颁发机构 / Make the certificate authority of the transport."""
    try:
        typer.echo(f"CA: {pki.init_authority(folder)}")
    except pki.PkiError as error:
        _refuse(str(error), REFUSED)


@pki_app.command("issue")
def pki_issue_command(
    name: Annotated[str, typer.Argument(help="INSTITUTION/NODE, receiver, hr, broker")],
    folder: PkiFolder,
    host: Annotated[
        list[str] | None,
        typer.Option("--host", help="服务器的域名或 IP（可多次） / DNS name or IP of a server, repeatable."),
    ] = None,
    into: Annotated[
        Path | None, typer.Option("--into", metavar="FOLDER", help="写到哪里 / Where to write.")
    ] = None,
) -> None:
    """签发证书：设备（机构/节点）、接收端、服务器 / Issue a certificate: node, receiver, server."""
    try:
        made = pki.issue(folder, name, hosts=tuple(host or ()), into=into)
    except pki.PkiError as error:
        _refuse(str(error), REFUSED)
    typer.echo(
        f"ca_file = {made.ca_file}\ncertificate_file = {made.certificate_file}\nkey_file = {made.key_file}"
    )
