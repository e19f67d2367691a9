"""The device's own certificate: made, kept, renewed in time, never readable by others."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from agent.web.certificate import (
    CertificateFiles,
    ensure_certificate,
    fingerprint,
    hostname,
    own_addresses,
)

NOW = datetime(2026, 11, 21, tzinfo=UTC)
HERE = [ip_address("127.0.0.1"), ip_address("192.0.2.7")]


@pytest.fixture
def files(tmp_path: Path) -> CertificateFiles:
    return CertificateFiles.within(tmp_path)


def ensure(files: CertificateFiles, now: datetime = NOW, addresses: list[object] | None = None) -> bool:
    return ensure_certificate(files, now=now, hostname="room-101", addresses=addresses or HERE)  # type: ignore[arg-type]


def test_made_once_with_names_and_a_private_key(files: CertificateFiles) -> None:
    assert ensure(files)
    assert not ensure(files)
    assert files.key.stat().st_mode & 0o777 == 0o600
    certificate = x509.load_pem_x509_certificate(files.certificate.read_bytes())
    key = certificate.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert key.curve.name == "secp256r1"
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert set(names.get_values_for_type(x509.IPAddress)) == set(HERE)
    assert "room-101" in names.get_values_for_type(x509.DNSName)
    lifetime = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    assert lifetime <= timedelta(days=398)
    assert len(fingerprint(files)) == 32 * 3 - 1
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(files.certificate, files.key)


@pytest.mark.parametrize("days", [-400, -3, 366, 5000])
def test_renewed_before_it_expires_and_after_a_clock_jump(files: CertificateFiles, days: int) -> None:
    ensure(files)
    key = files.key.read_bytes()
    assert ensure(files, NOW + timedelta(days=days))
    assert files.key.read_bytes() == key
    assert not ensure(files, NOW + timedelta(days=days))


def test_renewed_when_the_device_has_a_new_address(files: CertificateFiles) -> None:
    ensure(files)
    assert ensure(files, addresses=[*HERE, ip_address("198.51.100.9")])
    assert not ensure(files)  # an address that went away is no reason


@pytest.mark.parametrize("damage", [b"", b"no pem", b"\x00" * 5000])
def test_damaged_files_are_replaced(files: CertificateFiles, damage: bytes) -> None:
    ensure(files)
    files.certificate.write_bytes(damage)
    assert ensure(files)
    files.key.write_bytes(damage)
    assert ensure(files)
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(files.certificate, files.key)


def test_a_key_that_others_can_read_is_thrown_away(files: CertificateFiles) -> None:
    ensure(files)
    key = files.key.read_bytes()
    files.key.chmod(0o644)
    assert ensure(files)
    assert files.key.read_bytes() != key
    assert files.key.stat().st_mode & 0o777 == 0o600


def test_this_machine_has_names() -> None:
    assert ip_address("127.0.0.1") in own_addresses()
    assert hostname()
