"""The device's own TLS certificate: made at first start, renewed before it expires.

Self-signed, because a device on a classroom's own network has no name that a public authority could vouch
for. A renewal changes the certificate and its fingerprint; the key pair stays, so that whoever noted the
public key's fingerprint can still compare it.
"""

from __future__ import annotations

import hashlib
import ipaddress
import os
import socket
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from agent.board import write_atomically

VALID_DAYS = 397
"""Browsers refuse server certificates that live longer (CA/Browser Forum baseline, Apple)."""
RENEW_BEFORE = timedelta(days=30)
SLACK = timedelta(days=2)
"""A phone whose clock is behind still accepts a certificate that is only minutes old."""

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


TEMPORARY = 0x01
"""IFA_F_TEMPORARY of linux/if_addr.h: an IPv6 privacy address (RFC 8981), replaced each day."""
IF_INET6 = Path("/proc/net/if_inet6")


@dataclass(frozen=True, slots=True)
class Fingerprints:
    """SHA-256 as browsers show them: `AB:CD:…`."""

    certificate: str
    """Of the certificate (DER); new with each renewal."""
    key: str
    """Of the public key (DER SubjectPublicKeyInfo); stays."""


@dataclass(frozen=True, slots=True)
class CertificateFiles:
    """Where the certificate lies; the key is readable by the page's user alone."""

    certificate: Path
    key: Path

    @classmethod
    def within(cls, keys: Path) -> CertificateFiles:
        return cls(keys / "web-certificate.pem", keys / "web-key.pem")


def own_addresses() -> frozenset[Address]:
    """Every address under which this machine may be opened, loopback included. Left out: link-local ones, and
    temporary ones, for which the certificate would be renewed each day."""
    found: set[Address] = {ipaddress.IPv4Address("127.0.0.1"), ipaddress.IPv6Address("::1")}
    for interface in psutil.net_if_addrs().values():
        for entry in interface:
            if entry.family in (socket.AF_INET, socket.AF_INET6):
                address = ipaddress.ip_address(entry.address.partition("%")[0])
                if not address.is_link_local:
                    found.add(address)
    return frozenset(found - temporary_addresses(IF_INET6))


def temporary_addresses(table: Path) -> frozenset[Address]:
    """The IPv6 privacy addresses in the kernel's `table`; none where it has no IPv6."""
    try:
        lines = table.read_text(encoding="ascii").splitlines()
    except FileNotFoundError:
        return frozenset()
    fields = (line.split() for line in lines)  # address, interface number, prefix length, scope, flags, name
    return frozenset(ipaddress.IPv6Address(int(f[0], 16)) for f in fields if int(f[4], 16) & TEMPORARY)


def ensure_certificate(
    files: CertificateFiles, *, now: datetime, hostname: str, addresses: Collection[Address]
) -> bool:
    """Make or renew the certificate where it is missing, unreadable, soon over or names too little.

    True when a new one was written. OSError when the folder cannot be written.
    """
    key = _existing_key(files.key)
    if key is not None and _still_good(files.certificate, key, now, hostname, addresses):
        return False
    if key is None:
        key = ec.generate_private_key(ec.SECP256R1())
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        write_atomically(files.key, pem, durable=True, mode=0o600)
    certificate = _sign(key, now, hostname, addresses)
    write_atomically(files.certificate, certificate.public_bytes(serialization.Encoding.PEM), durable=True)
    return True


def fingerprints(files: CertificateFiles) -> Fingerprints:
    """What a visitor compares with what the browser shows. OSError, ValueError where no certificate is."""
    certificate = x509.load_pem_x509_certificate(files.certificate.read_bytes())
    public_key = certificate.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    key_digest = hashlib.sha256(public_key).digest()
    return Fingerprints(
        certificate.fingerprint(hashes.SHA256()).hex(":").upper(), key_digest.hex(":").upper()
    )


def _existing_key(path: Path) -> ec.EllipticCurvePrivateKey | None:
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (FileNotFoundError, ValueError):
        return None
    if path.stat().st_mode & 0o077:  # a key that others could read is as good as published
        return None
    return key if isinstance(key, ec.EllipticCurvePrivateKey) else None


def _still_good(
    path: Path,
    key: ec.EllipticCurvePrivateKey,
    now: datetime,
    hostname: str,
    addresses: Collection[Address],
) -> bool:
    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (FileNotFoundError, ValueError, x509.ExtensionNotFound):
        return False
    return (
        certificate.public_key() == key.public_key()
        and certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc - RENEW_BEFORE
        and set(addresses) <= set(names.get_values_for_type(x509.IPAddress))
        and hostname in names.get_values_for_type(x509.DNSName)
    )


def _sign(
    key: ec.EllipticCurvePrivateKey, now: datetime, hostname: str, addresses: Collection[Address]
) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hostname[:64])])
    names: list[x509.GeneralName] = [x509.DNSName(hostname), x509.DNSName(f"{hostname}.local")]
    names += [x509.DNSName("localhost")]
    names += [x509.IPAddress(address) for address in sorted(addresses, key=lambda a: (a.version, int(a)))]
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SLACK)
        .not_valid_after(now - SLACK + timedelta(days=VALID_DAYS))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )


def wall_time(wall_us: int) -> datetime:
    """UTC time of a stamp, whole seconds (certificates know no less)."""
    return datetime.fromtimestamp(wall_us // 1_000_000, UTC)


def hostname() -> str:
    """This machine's name without domain; "classroom-agent" where it is not fit for a certificate."""
    name = os.uname().nodename.partition(".")[0].lower()
    is_fit = 0 < len(name) <= 63 and all(c.isascii() and (c.isalnum() or c == "-") for c in name)
    return name if is_fit else "classroom-agent"
