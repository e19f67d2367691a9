"""The receivers of records: reached over TLS with our certificate, and do receipts come back (R1, I5)?"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterator

from agent.acceptance.findings import Finding
from agent.settings import Destination, Settings
from agent.store import outbox
from agent.store.database import Store

CONNECT_S = 10.0
RECEIPT_S = 20.0
SOON_S = 30 * 86_400
POLL_S = 0.25
REJECTION_S = 1.5


def check_receivers(
    settings: Settings,
    store: Store,
    *,
    receipt_s: float = RECEIPT_S,
    pause: Callable[[float], None] = time.sleep,
) -> Iterator[Finding]:
    """Connection and receipts of every destination; one line when there is none (R20)."""
    if not settings.sync.destinations:
        yield Finding(
            "receivers",
            "warning",
            "未配置接收方，记录只留在本机",
            "no receiver is configured; records stay on this node",
            (
                "不通网络的场所（R20）如此即可，否则填写 [[sync.destinations]]",
                "right for a closed place (R20), else fill in [[sync.destinations]]",
            ),
        )
    for destination in settings.sync.destinations:
        connection = check_connection(destination)
        yield connection
        if connection.verdict != "bad":
            yield check_receipts(store, destination.name, receipt_s, pause)


def check_connection(destination: Destination) -> Finding:
    """One TLS handshake with the broker, both certificates checked."""
    name, where = destination.name, f"{destination.host}:{destination.port}"
    check = f"receiver.{name.lower()}.connection"
    try:
        context = ssl.create_default_context(cafile=str(destination.ca_file))
        context.load_cert_chain(destination.certificate_file, destination.key_file)
    except (OSError, ssl.SSLError) as error:
        return _unreachable(check, name, where, f"证书文件 / certificate files: {error}")
    try:
        with (
            socket.create_connection((destination.host, destination.port), CONNECT_S) as plain,
            context.wrap_socket(plain, server_hostname=destination.host) as secured,
        ):
            version, expires = secured.version(), _expiry_s(secured)
            _wait_for_rejection(secured)
    except (OSError, ssl.SSLError) as error:
        return _unreachable(check, name, where, str(error))
    if expires - time.time() < SOON_S:
        return Finding(
            check,
            "warning",
            f"{name} 可达，但它的证书快到期了",
            f"{name} is reached, but its certificate ends soon",
            ("请对方更换证书", "have its operator renew it"),
            {"tls": version},
        )
    return Finding(
        check,
        "good",
        f"{name}（{where}）可达，{version}",
        f"{name} ({where}) is reached, {version}",
        measured={"tls": version},
    )


def check_receipts(store: Store, name: str, seconds: float, pause: Callable[[float], None]) -> Finding:
    """Does everything signed until now get its receipt within `seconds`?"""
    head = outbox.head_sequence(store)
    deadline = time.monotonic() + seconds
    while (through := outbox.cursor(store, name).receipted_through) < head and time.monotonic() < deadline:
        pause(POLL_S)
    measured = {"head": head, "receipted_through": through}
    if head > 0 and through >= head:
        return Finding(
            f"receiver.{name.lower()}.receipts",
            "good",
            f"{name} 已回执全部 {head} 条记录",
            f"{name} has receipted all {head} records",
            measured=measured,
        )
    return Finding(
        f"receiver.{name.lower()}.receipts",
        "bad",
        f"{name} 只回执了 {through} / {head} 条",
        f"{name} has receipted {through} of {head} records",
        (
            "确认 ledger 和 sync 在运行，设备卡已交给对方登记，receiver_key_file 正确",
            "ledger and sync must run, the receiver must know this node's card, receiver_key_file must fit",
        ),
        measured,
    )


def _wait_for_rejection(secured: ssl.SSLSocket) -> None:
    """ssl.SSLError or OSError when the broker refuses our certificate: in TLS 1.3 it does so only after the
    handshake is over for us. A broker that accepts waits in silence for the first packet."""
    secured.settimeout(REJECTION_S)
    try:
        if not secured.recv(1):
            raise ConnectionResetError("the broker closed the connection: it refuses this certificate")
    except TimeoutError:
        return


def _unreachable(check: str, name: str, where: str, reason: str) -> Finding:
    return Finding(
        check,
        "bad",
        f"{name}（{where}）连不上",
        f"{name} ({where}) cannot be reached: {reason}",
        (
            "检查网络、地址、证书和对方服务",
            "check network, address, certificates and the receiver's service",
        ),
    )


def _expiry_s(secured: ssl.SSLSocket) -> float:
    certificate = secured.getpeercert() or {}
    return float(ssl.cert_time_to_seconds(str(certificate["notAfter"])))
