"""The sync process: one thread per destination, and the device card's public halves of sync's own keys.

It wakes nobody: what it commits (an applied configuration, a refusal) the ledger sees by itself.
"""

from __future__ import annotations

import threading
import time
from dataclasses import asdict
from typing import Any, Final

from joserfc.jwk import OKPKey

from agent.clock import rfc3339
from agent.configuration.agreement import load_or_create_agreement_key
from agent.configuration.card import update_card
from agent.configuration.intake import Intake
from agent.evidence.keys import KeyFileError
from agent.log import get_logger
from agent.role import REPORT_INTERVAL_S, RoleContext, State
from agent.store.database import Store
from agent.store.trouble import IN_THE_WAY, said_of
from agent.store.vault import Vault
from agent.sync.link import Link
from agent.sync.link_status import LinkStatus
from agent.visibility.trust_message import carry_out

RETRY_S: Final = 5.0
HANG_S: Final = 180.0
"""A link that has not turned for so long hangs: longer than any connect, TLS or database time limit."""
JOIN_S: Final = 15.0
"""A link ends within its last delivery and one time limit of the network."""
EXPIRY_WARNING_US: Final = 30 * 86_400_000_000
"""A client certificate is replaced by hand, so the board speaks up a month before it expires."""

log = get_logger(__name__)


class LinkDiedError(RuntimeError):
    """A destination's thread ended or hangs. The process ends with it and is started again, because a
    thread cannot be ended from outside and half a sync would look healthy."""


def run(context: RoleContext) -> None:
    """Serve until told to stop. What is in the way is said on the board and tried again."""
    while not context.stop.is_set():
        try:
            _serve(context)
        except KeyFileError as error:
            context.report("fault", f"密钥文件不可用：{error.zh}", f"key file: {error.en}")
        except IN_THE_WAY as error:
            context.report(*said_of(error, context.paths.database, context.paths.state))
        context.stop.wait(RETRY_S)


def _serve(context: RoleContext) -> None:
    """Links of their own Event: whatever ends this call ends them too. Two sets of links at once would have
    the same client ids and throw each other off the broker for ever."""
    settings = context.settings
    agreement_key = load_or_create_agreement_key(context.paths.keys)
    vault = Vault(context.paths.keys)
    simulated = settings.simulated
    stop = threading.Event()
    with Store(context.paths.database) as store:
        update_card(context.paths, settings.node, agreement_key, store)
        links = [
            Link(
                settings,
                destination,
                context.paths,
                context.clock,
                Intake(vault, agreement_key, settings.source, simulated=simulated, order_trust=carry_out),
                stop,
            )
            for destination in settings.sync.destinations
        ]
        try:
            for link in links:
                link.start()
            _watch(context, store, agreement_key, links)
        finally:
            stop.set()
            _join(context, links)


def _watch(context: RoleContext, store: Store, agreement_key: OKPKey, links: list[Link]) -> None:
    seen: int | None = None
    while not context.stop.is_set():
        version = store.data_version()
        if version != seen:
            update_card(context.paths, context.settings.node, agreement_key, store)
            seen = version
        if context.stop.is_set():
            return
        _check_alive(links)
        _report(context, [link.status for link in links])
        context.stop.wait(REPORT_INTERVAL_S / 2)


def _join(context: RoleContext, links: list[Link]) -> None:
    """Wait until every link that was started has ended. LinkDiedError when one does not, unless the process
    ends anyway: what that link left unsaid is said after the next start."""
    for link in links:
        if link.ident is None:
            continue
        link.join(timeout=JOIN_S)
        if not link.is_alive():
            continue
        if not context.stop.is_set():
            raise LinkDiedError(f"{link.name}: does not end within {JOIN_S:.0f} s")
        log.warning("link.does-not-end", link=link.name, waited_s=JOIN_S)


def _check_alive(links: list[Link]) -> None:
    now_s = time.monotonic()
    for link in links:
        silent_s = now_s - link.status.turned_s
        if not link.is_alive() or silent_s > HANG_S:
            raise LinkDiedError(f"{link.name}: alive {link.is_alive()}, last turned {silent_s:.0f} s ago")


def _report(context: RoleContext, links: list[LinkStatus]) -> None:
    if not links:
        context.report(
            "waiting",
            "未配置接收方，记录留在本机",
            "no destination is configured; records stay here until they are fetched",
            destinations={},
        )
        return
    worst = max(links, key=lambda link: ("running", "starting", "waiting", "fault").index(link.state))
    lag = max(link.lag for link in links)
    state: State = worst.state
    if state == "running":
        zh = "已全部回执" if lag == 0 else f"待回执 {lag} 条"
        en = "everything is receipted" if lag == 0 else f"{lag} records without a receipt"
    else:
        zh, en = f"{worst.name}：{worst.zh}", f"{worst.name}: {worst.en}"
    expiring = _expiring(links, context.clock.now().wall_us)
    if expiring:
        zh, en = (
            f"{zh}；{'；'.join(zh for zh, _ in expiring)}",
            f"{en}; {'; '.join(en for _, en in expiring)}",
        )
    context.report(
        state,
        zh,
        en,
        lag=lag,
        certificate_expires=bool(expiring),
        destinations={link.name: _detail(link) for link in links},
    )


def _expiring(links: list[LinkStatus], now_us: int) -> list[tuple[str, str]]:
    """In both languages, which client certificates expire soon or have expired."""
    return [
        (
            f"{link.name} 的客户端证书有效期至 {(day := rfc3339(until)[:10])}，请尽快换发",
            f"the client certificate for {link.name} is valid until {day}: have it renewed",
        )
        for link in links
        if (until := link.certificate_until_us) is not None and until - now_us < EXPIRY_WARNING_US
    ]


def _detail(link: LinkStatus) -> dict[str, Any]:
    detail = asdict(link) | {"lag": link.lag}
    del detail["name"], detail["turned_s"]
    return detail
