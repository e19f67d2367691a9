"""The ledger's process: signs within a quarter of a second, says when it cannot, and goes on by itself."""

from __future__ import annotations

import time

from agent.evidence.device_card import SigningJwk, update_device_card
from agent.evidence.keys import KEY_FILE, KeyFileError, SigningKey, load_or_create
from agent.evidence.ledger import Ledger
from agent.evidence.lost_log import CopiesAwayError, LostLog
from agent.evidence.record import NodeIdentity
from agent.evidence.restoration import CopyChangedError
from agent.evidence.tail import TailDamage
from agent.log import get_logger
from agent.role import REPORT_INTERVAL_S, RoleContext
from agent.store import records
from agent.store.database import Store
from agent.store.trouble import IN_THE_WAY, said_of

POLL_S = 0.1
RETRY_S = 1.0

log = get_logger(__name__)


def run(context: RoleContext) -> None:
    """Serve until told to stop. What is in the way is said on the board and tried again each second."""

    def tell(done: int, of: int) -> None:
        context.report("waiting", f"由副本取回记录日志 {done}/{of}", f"taking the log back: {done} of {of}")

    has_signed = (context.paths.ledger_keys / KEY_FILE).exists()
    lost_log = LostLog(context.settings, has_signed=has_signed, tick=tell)
    while not context.stop.is_set():
        try:
            _serve(context, lost_log)
        except (CopiesAwayError, CopyChangedError) as error:
            context.report("fault", error.zh, error.en)
        except KeyFileError as error:
            context.report("fault", f"签名密钥不可用：{error.zh}", f"signing key: {error.en}")
        except IN_THE_WAY as error:
            context.report(*said_of(error, context.paths.database, context.paths.state))
        context.stop.wait(RETRY_S)


def _serve(context: RoleContext, lost_log: LostLog) -> None:
    settings = context.settings.node
    node = NodeIdentity(settings.institution, settings.room, settings.node)
    key = load_or_create(context.paths.ledger_keys)
    demonstration = settings.environment == "demonstration"
    with Store(context.paths.database) as store:
        ledger = Ledger(store, key, node, context.clock, demonstration=demonstration)
        restored = lost_log.take_back(store, key)
        damage = ledger.open(restored)
        lost_log.has_signed = True
        if restored is not None:
            lost_log.finish(store, restored)
        if damage is not None:
            log.error("ledger.log-damaged", **damage.as_fact())
        _publish_keys(context, key, node)
        _work(context, store, ledger, damage)


def _publish_keys(context: RoleContext, key: SigningKey, node: NodeIdentity) -> None:
    """Put the signing keys on the device card, as the ledger's own folder knows them: the log is written by
    whoever owns the database. A card that cannot be written stops no evidence."""
    keys = tuple(SigningJwk.model_validate(jwk) for jwk in key.known_jwks)
    try:
        update_device_card(context.paths.device_card, node, signing_keys=keys)
    except OSError as error:
        log.error("card.unwritable", path=str(context.paths.device_card), error=error.strerror)  # noqa: TRY400


def _work(context: RoleContext, store: Store, ledger: Ledger, damage: TailDamage | None) -> None:
    """Sign what is pending whenever another process has committed, seal when due, report."""
    seen: int | None = None
    reported = float("-inf")
    while not context.stop.is_set():
        version = store.data_version()
        signed = ledger.sign_pending() if version != seen else 0
        if signed == 0:  # only then is nothing left behind `version`
            seen = version
        sealed = ledger.seal_if_due()
        if sealed or time.monotonic() - reported >= REPORT_INTERVAL_S:
            if not store.is_current():
                log.error("ledger.database-replaced", path=str(store.path))
                return  # what is signed here would be seen by nobody: begin again with the file that is there
            _report(context, store, damage)
            reported = time.monotonic()
        if signed == 0:
            context.stop.wait(POLL_S)
    while ledger.sign_pending():  # what the roles stated while they ended, so that sync can still deliver it
        pass


def _report(context: RoleContext, store: Store, damage: TailDamage | None) -> None:
    head = records.head(store)
    detail = {"sequence": head.sequence, "sha256": head.sha256, "pending": records.pending_count(store)}
    if damage is None:
        context.report("running", "正在签名", "signing", **detail)
    else:
        context.report(
            "fault",
            f"记录第 {damage.sequence} 条被改动过，新记录照常签名",
            f"record {damage.sequence} was altered ({damage.code}); new records are signed all the same",
            **detail,
        )
