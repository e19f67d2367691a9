"""One destination: its connection, its window, its receipts, in a thread of its own.

    waiting ──open──► connected ──turn, turn, turn──► lost ──backoff──► waiting
                      send while the window has room · take receipts · answer configuration

Whatever ends a connection, the next one begins behind the cursor; what was under way goes again and the
receiver knows it by (source, id).
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from dataclasses import replace
from typing import Any, Final

from agent.clock import Clock, rfc3339
from agent.configuration.intake import Intake
from agent.evidence import jws
from agent.evidence.topics import Channel, topic
from agent.log import get_logger
from agent.paths import Paths
from agent.role import State
from agent.settings import Destination, Settings
from agent.store import outbox
from agent.store.database import Store, StoreError, unusable
from agent.store.facts import FactType
from agent.sync.connecting import certificate_valid_until, connect
from agent.sync.connection import Connection, ConnectionProblem, Incoming
from agent.sync.gate import Gate
from agent.sync.link_status import LinkStatus
from agent.sync.receipts import Taken, take_receipts
from agent.sync.window import Window
from drivers.cameras.backoff import Backoff

POLL_S: Final = 0.1
"""How long the wire is listened to before the database is asked for new records."""
PRESENCE_S: Final = 60.0
LAST_DELIVERY_S: Final = 5.0
"""So long a link that was told to stop goes on for the receipts of what the ledger signed last. What stays
unreceipted then is sent after the next start (I5)."""
ANSWER_KINDS: Final = (FactType.CONFIGURATION_APPLIED.value, FactType.CONFIGURATION_REFUSED.value)

log = get_logger(__name__)


class Link(threading.Thread):
    """Carries the record log to one destination until `stop` is set."""

    def __init__(
        self,
        settings: Settings,
        destination: Destination,
        paths: Paths,
        clock: Clock,
        intake: Intake,
        stop: threading.Event,
    ) -> None:
        super().__init__(name=f"link-{destination.name}", daemon=True)
        self._node = settings.node
        self._source = settings.source
        self._destination = destination
        self._paths = paths
        self._clock = clock
        self._intake = intake
        self._stop_event = stop
        self._gate = Gate(settings.node.institution, settings.node.node)
        self._window = Window(destination.window)
        self._answered_through = 0
        self._verdicts = 0
        self._presence_s = 0.0
        self._seen_version: int | None = None
        self._status = LinkStatus(destination.name)

    @property
    def status(self) -> LinkStatus:
        """The newest status; safe to read from any thread (it is replaced, never changed)."""
        return self._status

    def run(self) -> None:
        """Connect, serve, wait, again."""
        backoff = Backoff(first=0.5, longest=60.0)
        while not self._stop_event.is_set():
            began = time.monotonic()
            try:
                self._serve()
                continue
            except ConnectionProblem as problem:
                self._say("fault" if problem.lasting else "waiting", problem.zh, problem.en)
            except sqlite3.OperationalError as error:
                self._say(
                    "waiting",
                    f"数据库忙或暂不可写（{error}），稍后自动继续；一直如此则请检查磁盘空间和文件夹权限",
                    f"the database is busy or cannot be written ({error}); goes on by itself; if it stays "
                    "so, check free space and the folder's permissions",
                )
            except StoreError as error:
                self._say("fault", error.zh, error.en)
            except sqlite3.DatabaseError as error:
                said = unusable(self._paths.database, error)
                self._say("fault", said.zh, said.en)
            wait = backoff.failed(time.monotonic() - began)
            log.info("link.waiting", destination=self._destination.name, why=self._status.en, seconds=wait)
            self._wait(wait)

    def _wait(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not self._stop_event.wait(min(1.0, max(0.0, deadline - time.monotonic()))):
            self._say()
            if time.monotonic() >= deadline:
                return

    def _serve(self) -> None:
        """One connection, from opening to the end of the process or of the connection."""
        keys = self._receiver_keys()
        # With the destination in it: two destinations on one broker must not throw each other out.
        client_id = f"{self._node.institution}-{self._node.node}-{self._destination.name}"
        with Store(self._paths.database) as store:
            with store.transaction():
                outbox.ensure_destination(store, self._destination.name)
            self._refresh(store)
            self._count_bad(store)
            self._look_at_certificate()
            connection = connect(self._destination, client_id, self._gate.topics)
            try:
                self._begin(store, connection)
                while not self._stop_event.is_set():
                    self._turn(store, connection, keys)
                self._deliver_last(store, connection, keys)
                self._publish_presence(connection, "leaving")
            finally:
                connection.close()

    def _deliver_last(self, store: Store, connection: Connection, keys: jws.PublicKeys) -> None:
        deadline = time.monotonic() + LAST_DELIVERY_S
        self._turn(store, connection, keys)
        while self._status.lag and time.monotonic() < deadline:
            self._turn(store, connection, keys)

    def _begin(self, store: Store, connection: Connection) -> None:
        through = outbox.cursor(store, self._destination.name).receipted_through
        self._window.restart(through)
        # Answers that may not have been heard go again; hr-config knows them by their message's id.
        self._answered_through = through
        self._seen_version = None
        self._presence_s = 0.0
        self._say("running", "已连接", "connected", protocol=connection.protocol)
        log.info("link.connected", destination=self._destination.name, protocol=connection.protocol)

    def _turn(self, store: Store, connection: Connection, keys: jws.PublicKeys) -> None:
        incoming = connection.turn(POLL_S)
        if incoming:
            self._take(store, incoming, keys)
            connection.acknowledge(incoming)
        now_s = time.monotonic()
        if self._window.is_overdue(now_s):
            self._resend(store)
        version = store.data_version()
        if incoming or version != self._seen_version:
            self._seen_version = version
            self._refresh(store)
            self._answer(store, connection)
        if self._status.head > self._window.sent_through:
            self._send(store, connection)
        if now_s - self._presence_s >= PRESENCE_S or self._presence_s == 0.0:
            self._publish_presence(connection, "online")
            self._presence_s = now_s
            self._look_at_certificate()
        self._say()

    def _answer(self, store: Store, connection: Connection) -> None:
        """Answers to HR go out at once and beside the records, which may be weeks behind."""
        for answer in outbox.of_kinds(store, ANSWER_KINDS, self._answered_through):
            connection.publish(self._topic(Channel.ANSWERS), answer.jws)
            self._answered_through = answer.sequence

    def _send(self, store: Store, connection: Connection) -> None:
        """Records in order, while the window has room and the broker keeps up."""
        room = min(self._window.room, self._window.size - connection.unacknowledged)
        if room < 1:
            return
        for record in outbox.unreceipted(store, self._destination.name, self._window.sent_through, room):
            connection.publish(self._topic(Channel.RECORDS), record.jws)
            self._window.sent(record.sequence, time.monotonic())

    def _resend(self, store: Store) -> None:
        through = outbox.cursor(store, self._destination.name).receipted_through
        log.warning(
            "link.resend",
            destination=self._destination.name,
            first=through + 1,
            count=self._window.in_flight,
            waited_s=self._window.timeout_s,
        )
        self._window.resend(through)
        self._seen_version = None

    def _take(self, store: Store, incoming: list[Incoming], keys: jws.PublicKeys) -> None:
        """Act on what came in; only after that is it acknowledged."""
        receipts: list[bytes] = []
        for message in incoming:
            channel = self._gate.admit(message.topic, message.payload)
            if channel is Channel.RECEIPTS:
                receipts.append(message.payload)
            elif channel is Channel.CONFIGURATION:
                self._intake.take(store, self._clock.now(), message.payload)
        if receipts:
            stamp = self._clock.now()
            taken = take_receipts(store, self._destination.name, self._source, keys, receipts, stamp.wall_us)
            self._window.receipted([(1, taken.receipted_through), *taken.ranges], time.monotonic())
            self._count(taken)
            self._count_bad(store)

    def _count(self, taken: Taken) -> None:
        before, after = self._status.ignored_receipts, self._status.ignored_receipts + taken.ignored
        self._status = replace(
            self._status,
            ignored_receipts=after,
            refused_receipts=self._status.refused_receipts + taken.refused,
        )
        if after.bit_length() > before.bit_length():  # at 1, 2, 4, 8, …: bounded in the journal
            name, why = self._destination.name, taken.ignored_why
            log.warning("receipt.ignored", destination=name, count=after, problem=why)
        before, self._verdicts = self._verdicts, self._verdicts + taken.verdicts
        if self._verdicts.bit_length() > before.bit_length():
            log.error(
                "receipt.verdict",
                destination=self._destination.name,
                count=self._verdicts,
                sequence=taken.verdict_sequence,
                code=taken.verdict_code,
            )

    def _publish_presence(self, connection: Connection, state: str) -> None:
        content = {
            "source": self._source,
            "state": state,
            "time": rfc3339(self._clock.now().wall_us),
            "head": self._status.head,
            "receipted_through": self._status.receipted_through,
        }
        connection.publish(self._topic(Channel.PRESENCE), json.dumps(content).encode())

    def _topic(self, channel: Channel) -> str:
        return topic(self._node.institution, self._node.node, channel)

    def _receiver_keys(self) -> jws.PublicKeys:
        path = self._destination.receiver_key_file
        try:
            return jws.public_keys(json.loads(path.read_bytes()))
        except (OSError, ValueError, AttributeError) as error:
            raise ConnectionProblem(
                f"接收方公钥文件 {path} 不可用（{error}）。请向接收方索取公钥文件（.public），放到该处",
                f"receiver_key_file {path} cannot be used ({error}): get the receiver's public key file "
                "(.public) and put it there",
                lasting=True,
            ) from error

    def _look_at_certificate(self) -> None:
        until = certificate_valid_until(self._destination)
        self._say(certificate_until_us=None if until is None else int(until.timestamp()) * 1_000_000)

    def _refresh(self, store: Store) -> None:
        cursor = outbox.cursor(store, self._destination.name)
        if cursor.receipted_through < self._status.receipted_through:
            # The log was taken back from its copies: numbers that had receipts are given again.
            log.warning("link.cursor_went_back", destination=self._destination.name)
            self._window.restart(cursor.receipted_through)
            self._answered_through = min(self._answered_through, cursor.receipted_through)
        self._say(
            head=outbox.head_sequence(store),
            receipted_through=cursor.receipted_through,
            last_receipt_us=cursor.last_receipt_us,
        )

    def _count_bad(self, store: Store) -> None:
        """Not with every refresh: only a receipt changes it, and an unregistered node has as many as
        records."""
        self._say(bad_records=outbox.verdict_count(store, self._destination.name))

    def _say(self, state: State | None = None, zh: str = "", en: str = "", **known: Any) -> None:
        """Replace the status; without a `state` the last one stands."""
        if state is not None:
            known.update(state=state, zh=zh, en=en)
            if state != "running":
                known["protocol"] = None
        self._status = replace(
            self._status,
            in_flight=self._window.in_flight,
            resends=self._window.resends,
            turned_away=self._gate.turned_away,
            dropped_configurations=self._intake.dropped,
            turned_s=time.monotonic(),
            **known,
        )
