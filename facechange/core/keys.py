"""The keys that sign: the operator's, checked before anything is signed with it, or one that is made for this computer.

Nobody vouches for the latter: it shows that results come from one place, not whose place that is.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from facechange.core import SettingsError
from facechange.core.files import make_folder, write_first

CURVES = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}
OWN_NAME = "facechange on this computer"
VALID_YEARS = 20  # a signature without a time stamp does not outlive its certificate
_PEM = serialization.Encoding.PEM


def read_configured_key(certificate: Path, key: Path) -> tuple[bytes, bytes, str]:
    """The chain in `certificate`, the private key in `key`, both PEM, and its algorithm: the fields of a `SigningKey`.

    Raises `SettingsError` where they cannot be read, do not belong together, have expired, or are of a kind that C2PA
    does not allow.
    """
    try:
        chain = certificate.read_bytes()
        signer = x509.load_pem_x509_certificates(chain)[0]
        private = serialization.load_pem_private_key(key.read_bytes(), None)
        belong_together = private.public_key() == signer.public_key()
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise SettingsError(
            f"The signing certificate {certificate} and key {key} cannot be used ({error}).",
            "marking.certificate and marking.key in the settings name PEM files; the key has no password.",
        ) from None
    if not belong_together:
        raise SettingsError(
            f"The key {key} is not the one of the certificate {certificate}.", "Correct marking.key in the settings."
        )
    first, last = signer.not_valid_before_utc, signer.not_valid_after_utc
    if not first <= datetime.now(UTC) <= last:
        raise SettingsError(
            f"The signing certificate {certificate} is valid from {first:%Y-%m-%d} to {last:%Y-%m-%d} only.",
            "Get a new one, or take marking.certificate and marking.key out of the settings.",
        )
    plain = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return chain, plain, _algorithm(private, key)


def _algorithm(private: object, path: Path) -> str:
    if isinstance(private, ec.EllipticCurvePrivateKey) and private.curve.name in CURVES:
        return CURVES[private.curve.name]
    if isinstance(private, rsa.RSAPrivateKey) and private.key_size >= 2048:
        return "ps256"
    if isinstance(private, ed25519.Ed25519PrivateKey):
        return "ed25519"
    raise SettingsError(
        f"The signing key {path} is of a kind that C2PA does not allow.", "Use P-256, P-384, P-521, RSA or Ed25519."
    )


def make_own_key(path: Path, year: int) -> None:
    """Write a key to sign with in `year`, and its certificates, to `path`, readable by its owner alone, unless another
    process was first.

    C2PA allows no certificate that signed itself, so a root signs it. The root's key is thrown away: nothing else can
    be signed in its name. Raises `OSError`.
    """
    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    first_day, last_day = (
        datetime(year, 1, 1, tzinfo=UTC) - timedelta(days=2),
        datetime(year + VALID_YEARS, 1, 1, tzinfo=UTC),
    )
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
    make_folder(path.parent)
    write_first(own.public_bytes(_PEM) + root.public_bytes(_PEM) + private, path, 0o600)


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
    return x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "facechange"), x509.NameAttribute(NameOID.COMMON_NAME, common)]
    )


def _usage(signs_certificates: bool) -> x509.KeyUsage:
    """May sign certificates, or else other things, and nothing more."""
    names = (
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    others = dict.fromkeys(names, False)
    return x509.KeyUsage(digital_signature=not signs_certificates, key_cert_sign=signs_certificates, **others)
