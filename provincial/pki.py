"""A small certificate authority for the transport: who may speak to the broker, and as which node.

The subject's common name is what the broker takes for the user name (`use_identity_as_username`), so that
a node can write its own topics only (P3): `INSTITUTION/NODE` for a node, any other name for a server or a
receiver. These certificates guard the wire; what a record is worth is decided by its own signature alone.
Provinces with an authority of their own issue the same names from it and do not need this file.
"""

from __future__ import annotations

import ipaddress
import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

COMMON_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*(/[A-Za-z0-9][A-Za-z0-9_-]*)?")
"""No `+` and no `#`: in a topic filter they would match other nodes' topics (I12)."""

AUTHORITY_YEARS = 10
CERTIFICATE_YEARS = 3
BACKDATED = timedelta(days=1)
"""A node whose clock is a little behind must still accept a certificate made today."""


class PkiError(Exception):
    """A certificate cannot be made; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """The three PEM files that one TLS party needs."""

    ca_file: Path
    certificate_file: Path
    key_file: Path


def init_authority(folder: Path, name: str = "classroom-agent transport CA") -> Path:
    """Make the authority's key and certificate in `folder` (0700); returns the certificate's path.

    PkiError when there is one already: a second would orphan every certificate that the first issued.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _subject(name)
    certificate = (
        _builder(subject, subject, key.public_key(), AUTHORITY_YEARS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    _write_new(folder / "ca.key", _private_pem(key), 0o600)
    _write_new(folder / "ca.crt", certificate.public_bytes(serialization.Encoding.PEM), 0o644)
    return folder / "ca.crt"


def issue(
    folder: Path, common_name: str, *, hosts: tuple[str, ...] = (), into: Path | None = None
) -> Credentials:
    """Issue a certificate for `common_name` from the authority in `folder`; files go to `into` or `folder`.

    With `hosts` (DNS names or IP addresses) it is a server's, without a client's. The files are called after
    the common name with `/` as `_`. PkiError for an unusable name, a missing authority or an existing file.
    """
    if not COMMON_NAME.fullmatch(common_name) or len(common_name) > 64:
        raise PkiError(
            f"名称不可用 / unusable common name {common_name!r}: "
            "INSTITUTION/NODE or one word of A-Z a-z 0-9 _ . -, at most 64 characters (X.520)"
        )
    authority, authority_key = _load_authority(folder)
    key = ec.generate_private_key(ec.SECP256R1())
    usage = ExtendedKeyUsageOID.SERVER_AUTH if hosts else ExtendedKeyUsageOID.CLIENT_AUTH
    builder = (
        _builder(_subject(common_name), authority.subject, key.public_key(), CERTIFICATE_YEARS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False
        )
    )
    if hosts:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([_host(host) for host in hosts]), critical=False
        )
    certificate = builder.sign(authority_key, hashes.SHA256())
    target = into or folder
    target.mkdir(parents=True, exist_ok=True, mode=0o700)
    stem = common_name.replace("/", "_")
    made = Credentials(folder / "ca.crt", target / f"{stem}.crt", target / f"{stem}.key")
    _write_new(made.key_file, _private_pem(key), 0o600)
    _write_new(made.certificate_file, certificate.public_bytes(serialization.Encoding.PEM), 0o644)
    return made


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, years: int
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + timedelta(days=365 * years))
    )


def _subject(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _load_authority(folder: Path) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    try:
        certificate = x509.load_pem_x509_certificate((folder / "ca.crt").read_bytes())
        key = serialization.load_pem_private_key((folder / "ca.key").read_bytes(), password=None)
    except (OSError, ValueError) as error:
        raise PkiError(
            f"没有可用的证书颁发机构 / no usable authority in {folder} ({error}): "
            "run 'classroom-receiver pki init' first"
        ) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise PkiError(f"{folder / 'ca.key'}: an EC key is expected, found {type(key).__name__}")
    return certificate, key


def _private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write_new(path: Path, content: bytes, mode: int) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    except FileExistsError as error:
        raise PkiError(
            f"文件已存在，不会覆盖 / {path} exists and is not overwritten: move it away first"
        ) from error
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)
