"""The certificate and key that the operator configured, checked before anything is signed with them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from facechange.core import SettingsError
from facechange.trust.signing import SigningKey

CURVES = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}


def read_configured_key(certificate: Path, key: Path) -> SigningKey:
    """The chain in `certificate` with the private key in `key`, both PEM.

    Raises `SettingsError` where they cannot be read, do not belong together, have expired, or are of a kind that C2PA does not allow.
    """
    try:
        chain = certificate.read_bytes()
        signer = x509.load_pem_x509_certificates(chain)[0]
        private = serialization.load_pem_private_key(key.read_bytes(), None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise SettingsError(
            f"The signing certificate {certificate} and key {key} cannot be used ({error}).",
            "marking.certificate and marking.key in the settings name PEM files; the key has no password.",
        ) from None
    if private.public_key() != signer.public_key():
        raise SettingsError(f"The key {key} is not the one of the certificate {certificate}.", "Correct marking.key in the settings.")
    first, last = signer.not_valid_before_utc, signer.not_valid_after_utc
    if not first <= datetime.now(UTC) <= last:
        raise SettingsError(
            f"The signing certificate {certificate} is valid from {first:%Y-%m-%d} to {last:%Y-%m-%d} only.",
            "Get a new one, or take marking.certificate and marking.key out of the settings.",
        )
    plain = private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return SigningKey(chain, plain, _algorithm(private, key))


def _algorithm(private: object, path: Path) -> str:
    if isinstance(private, ec.EllipticCurvePrivateKey) and private.curve.name in CURVES:
        return CURVES[private.curve.name]
    if isinstance(private, rsa.RSAPrivateKey) and private.key_size >= 2048:
        return "ps256"
    if isinstance(private, ed25519.Ed25519PrivateKey):
        return "ed25519"
    raise SettingsError(f"The signing key {path} is of a kind that C2PA does not allow.", "Use P-256, P-384, P-521, RSA or Ed25519.")
