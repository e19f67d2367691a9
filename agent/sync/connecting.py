"""Which MQTT a broker gets, and what is said when it takes none."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from cryptography import x509

from agent.log import get_logger
from agent.settings import Destination
from agent.sync.connection import Connection, ConnectionProblem, HungUpError, SpeaksOlderError

HANG_UPS_WITH_5: Final = 2
"""So often a broker must cut an MQTT 5 handshake before 3.1.1 is tried."""

log = get_logger(__name__)


def connect(
    destination: Destination, client_id: str, topics: Sequence[str], *, keep_session: bool = True
) -> Connection:
    """An open connection, subscribed to `topics`. ConnectionProblem, with what to do, when there is none.

    MQTT 3.1.1 is tried directly after a refusal of MQTT 5, for this one connection. One that is cut before
    CONNACK is tried again with MQTT 5, so that a dropped handshake downgrades nobody; when 3.1.1 is cut too,
    it is not the version.
    """
    mqtt5, cut = True, 0
    while True:
        connection = Connection(destination, client_id, mqtt5=mqtt5, keep_session=keep_session)
        try:
            connection.open(topics)
            return connection
        except SpeaksOlderError as problem:
            connection.close()
            if not mqtt5:
                raise
            log.warning("connection.protocol", destination=destination.name, why=problem.en)
            mqtt5 = False
        except HungUpError as problem:
            connection.close()
            cut += 1
            log.warning("connection.cut", destination=destination.name, times=cut, why=problem.en)
            if not mqtt5:
                raise _turned_away(destination, problem.en) from problem
            mqtt5 = cut < HANG_UPS_WITH_5
        except BaseException:
            connection.close()
            raise


def certificate_valid_until(destination: Destination) -> datetime | None:
    """End of validity (UTC) of the client certificate; None when its file cannot be read."""
    try:
        content = destination.certificate_file.read_bytes()
        return x509.load_pem_x509_certificate(content).not_valid_after_utc
    except (OSError, ValueError):
        return None


def _turned_away(destination: Destination, reason: str) -> ConnectionProblem:
    """The fault whose likeliest cause is the client certificate, which lives three years."""
    until = certificate_valid_until(destination)
    day = "?" if until is None else until.date().isoformat()
    file = destination.certificate_file
    return ConnectionProblem(
        f"服务器一再切断连接，多半不接受客户端证书 {file}（有效期至 {day}）。"
        "已过期则请换发；否则请对方检查证书名称和颁发机构",
        f"the broker cuts every connection ({reason}), most likely because of the client certificate {file}, "
        f"valid until {day}: have it renewed if that is past, else have the broker's side check its name and "
        "authority",
        lasting=True,
    )
