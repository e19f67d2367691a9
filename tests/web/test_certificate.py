"""The device's own certificate: made, kept, renewed in time, never readable by others."""

from __future__ import annotations

import hashlib
import ssl
import subprocess
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from agent.web import certificate
from agent.web.certificate import (
    CertificateFiles,
    ensure_certificate,
    fingerprints,
    hostname,
    own_addresses,
    temporary_addresses,
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
    made = x509.load_pem_x509_certificate(files.certificate.read_bytes())
    key = made.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert key.curve.name == "secp256r1"
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert set(names.get_values_for_type(x509.IPAddress)) == set(HERE)
    assert "room-101" in names.get_values_for_type(x509.DNSName)
    lifetime = made.not_valid_after_utc - made.not_valid_before_utc
    assert lifetime <= timedelta(days=398)
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


def test_the_key_s_fingerprint_stays_when_the_certificate_is_renewed(files: CertificateFiles) -> None:
    ensure(files)
    before = fingerprints(files)
    assert ensure(files, NOW + timedelta(days=380))
    after = fingerprints(files)
    assert (after.key, after.certificate != before.certificate) == (before.key, True)


def test_fingerprints_are_those_that_openssl_and_browsers_show(files: CertificateFiles) -> None:
    ensure(files)
    shown = subprocess.run(
        ["openssl", "x509", "-in", str(files.certificate), "-noout", "-fingerprint", "-sha256"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    pem = ["openssl", "pkey", "-in", str(files.key), "-pubout", "-outform", "DER"]
    public = subprocess.run(pem, capture_output=True, check=True).stdout
    found = fingerprints(files)
    assert shown.strip().endswith(f"={found.certificate}")
    assert found.key.replace(":", "").lower() == hashlib.sha256(public).hexdigest()


def test_privacy_addresses_renew_nothing(tmp_path: Path) -> None:
    table = tmp_path / "if_inet6"
    table.write_text(
        "20010db8000000000000000000000007 02 40 00 00     eth0\n"
        "20010db800000000a1b2c3d4e5f60718 02 40 00 01     eth0\n"
        "20010db800000000a1b2c3d4e5f60719 02 40 00 21     eth0\n"
    )
    assert {str(address) for address in temporary_addresses(table)} == {
        "2001:db8::a1b2:c3d4:e5f6:718",
        "2001:db8::a1b2:c3d4:e5f6:719",
    }
    assert temporary_addresses(tmp_path / "no-ipv6") == frozenset()


def test_the_machine_s_own_privacy_addresses_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "if_inet6"
    table.write_text("00000000000000000000000000000001 01 80 10 01       lo\n")
    monkeypatch.setattr(certificate, "IF_INET6", table)
    assert ip_address("::1") not in own_addresses()
    assert ip_address("127.0.0.1") in own_addresses()


def test_this_machine_has_names() -> None:
    assert ip_address("127.0.0.1") in own_addresses()
    assert hostname()
