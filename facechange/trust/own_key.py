"""Make this computer's own signing key. Nobody vouches for it: it shows that results come from one place, not whose place that is."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from facechange.trust.files import part_file

OWN_NAME = "facechange on this computer"
VALID_YEARS = 20  # a signature without a time stamp does not outlive its certificate
_PEM = serialization.Encoding.PEM


def make_own_key(path: Path, year: int) -> None:
    """Write a key to sign with in `year`, and its certificates, to `path`, readable by its owner alone, unless another process was first.

    C2PA allows no certificate that signed itself, so a root signs it. The root's key is thrown away: nothing else can be signed in
    its name. Raises `OSError`.
    """
    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    first_day, last_day = datetime(year, 1, 1, tzinfo=UTC) - timedelta(days=2), datetime(year + VALID_YEARS, 1, 1, tzinfo=UTC)
    root_name = f"{OWN_NAME}, root"
    root = _certify(
        root_name,
        root_key,
        root_name,
        root_key,
        (first_day, last_day),
        [
            (x509.BasicConstraints(ca=True, path_length=0), True),
            (_usage(signs_certificates=True), True),
            (x509.SubjectKeyIdentifier.from_public_key(root_key.public_key()), False),
        ],
    )
    own = _certify(
        OWN_NAME,
        key,
        root_name,
        root_key,
        (first_day, last_day),
        [
            (x509.BasicConstraints(ca=False, path_length=None), True),
            (_usage(signs_certificates=False), True),
            (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), False),  # one of the few that C2PA allows
            (x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), False),
        ],
    )
    private = key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with part_file(path.parent, mode=0o600) as part:
        part.write_bytes(own.public_bytes(_PEM) + root.public_bytes(_PEM) + private)
        with contextlib.suppress(FileExistsError):
            os.link(part, path)  # unlike a rename, never in place of another process's


def _certify(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer_name: str,
    issuer_key: ec.EllipticCurvePrivateKey,
    validity: tuple[datetime, datetime],
    extensions: Sequence[tuple[x509.ExtensionType, bool]],  # and whether each is critical
) -> x509.Certificate:
    builder = x509.CertificateBuilder(_name(issuer_name), _name(name), key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(validity[0]).not_valid_after(validity[1])
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(issuer_key, hashes.SHA256())


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "facechange"), x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _usage(signs_certificates: bool) -> x509.KeyUsage:
    """May sign certificates, or else other things, and nothing more."""
    names = ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "crl_sign", "encipher_only", "decipher_only")
    others = dict.fromkeys(names, False)
    return x509.KeyUsage(digital_signature=not signs_certificates, key_cert_sign=signs_certificates, **others)
