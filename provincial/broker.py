"""The settings of a mosquitto broker that fits the protocol: for the demonstration, tests and small sites.

A province runs its own broker cluster; what it must grant is written here in one place as mosquitto's
configuration and access list, and in protocol/protocol.md (P1 to P5) in words.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from provincial.pki import Credentials

RECEIVER_NAME = "receiver"
"""Common name of the receiver's client certificate in the access list below."""


@dataclass(frozen=True, slots=True)
class BrokerFiles:
    """What `write_configuration` wrote."""

    configuration: Path
    access_list: Path


def write_configuration(
    folder: Path,
    server: Credentials,
    *,
    port: int,
    address: str = "127.0.0.1",
    user: str = "mosquitto",
    message_size_limit: int = 1_048_576,
    hr_name: str = "hr",
) -> BrokerFiles:
    """Write `mosquitto.conf` and its access list into `folder`; the persistence file goes there too.

    The broker's own durability is a convenience, not a promise: nothing in the protocol rests on it (I5),
    because a broker that is killed forgets messages that it has acknowledged.
    """
    access_list = folder / "access.list"
    access_list.write_text(
        f"# P3: the user name is the certificate's common name, for a node INSTITUTION/NODE.\n"
        f"user {RECEIVER_NAME}\n"
        "topic read ca/v1/+/+/+/records\n"
        "topic read ca/v1/+/+/+/answers\n"
        "topic read ca/v1/+/+/+/presence\n"
        "topic write ca/v1/+/+/+/receipts\n"
        "\n"
        f"user {hr_name}\n"
        "topic write ca/v1/+/+/+/configuration\n"
        "topic read ca/v1/+/+/+/answers\n"
        "topic read ca/v1/+/+/+/presence\n"
        "\n"
        "pattern write ca/v1/+/%u/records\n"
        "pattern write ca/v1/+/%u/answers\n"
        "pattern write ca/v1/+/%u/presence\n"
        "pattern read ca/v1/+/%u/receipts\n"
        "pattern read ca/v1/+/%u/configuration\n",
        encoding="utf-8",
    )
    access_list.chmod(0o600)
    configuration = folder / "mosquitto.conf"
    configuration.write_text(
        f"listener {port} {address}\n"
        f"user {user}\n"
        f"cafile {server.ca_file}\n"
        f"certfile {server.certificate_file}\n"
        f"keyfile {server.key_file}\n"
        "tls_version tlsv1.2\n"  # the lowest that is accepted
        "require_certificate true\n"
        "use_identity_as_username true\n"
        "allow_anonymous false\n"
        f"acl_file {access_list}\n"
        f"message_size_limit {message_size_limit}\n"
        "max_inflight_messages 200\n"
        # Beyond this the broker drops for a receiver that is away; the nodes send again (P8).
        "max_queued_messages 100000\n"
        "max_keepalive 120\n"
        "persistence true\n"
        f"persistence_location {folder}/\n"
        "autosave_interval 30\n"
        "log_dest stderr\n"
        "log_type error\nlog_type warning\nlog_type notice\n",
        encoding="utf-8",
    )
    return BrokerFiles(configuration, access_list)
