"""Who signs: the operator's certificate where there is one and it holds, else a key of this computer's own."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import c2pa
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from PIL import Image

from facechange.consent import Grant, load_context
from facechange.core import ModelCard, OutputError, SettingsError
from facechange.images import as_picture
from facechange.provenance import check_media_writable, check_writable, publish
from facechange.provenance.credentials import read_credentials
from facechange.provenance.verify import examine

PEM = serialization.Encoding.PEM
NOW = datetime.now(UTC)


def write_certificate(folder: Path, key=None, days: int = 30, with_key=None, root_key=None) -> tuple[Path, Path, str]:
    """A certificate of a studio's, signed by a root that is returned too, and its key (or another one's)."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    root_key = root_key or ec.generate_private_key(ec.SECP256R1())
    studio = x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Studio")
    names = [x509.Name([studio, x509.NameAttribute(NameOID.COMMON_NAME, each)]) for each in ("Root", "Signer")]
    made = []
    for subject, public, authority in ((names[0], root_key.public_key(), True), (names[1], key.public_key(), False)):
        builder = x509.CertificateBuilder(names[0], subject, public, x509.random_serial_number())
        builder = builder.not_valid_before(NOW - timedelta(days=60)).not_valid_after(NOW + timedelta(days=days))
        builder = builder.add_extension(x509.BasicConstraints(authority, None), True)
        builder = builder.add_extension(
            x509.KeyUsage(not authority, False, False, False, False, authority, False, False, False), True
        )
        if not authority:
            builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), False)
            builder = builder.add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), False
            )
        made.append(builder.sign(root_key, hashes.SHA256()).public_bytes(PEM))
    (folder / "chain.pem").write_bytes(made[1])
    private = (with_key or key).private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(private)
    return folder / "chain.pem", folder / "key.pem", made[0].decode()


@pytest.mark.parametrize("kind", ["es256", "es384", "ps256", "ed25519"])
def test_the_configured_certificate_signs(home, tmp_path: Path, settings, grant: Grant, card: ModelCard, kind):
    key = {
        "es256": lambda: None,
        "es384": lambda: ec.generate_private_key(ec.SECP384R1()),
        "ps256": lambda: rsa.generate_private_key(65537, 2048),
        "ed25519": ed25519.Ed25519PrivateKey.generate,
    }[kind]()
    _, _, root = write_certificate(home, key)
    settings('[marking]\ncertificate = "chain.pem"\nkey = "key.pem"\n')
    grant = replace(grant, context=load_context())
    assert load_context().keys.find().algorithm == kind
    path = publish(as_picture(Image.new("RGB", (16, 16))), tmp_path / "out.png", grant=grant, card=card)
    found = read_credentials(path, trusted=root)
    assert found is not None and found.signer_known and not found.problems
    assert found.active["signature_info"]["issuer"] == "Studio"
    assert not list(home.glob("signing-*")), "no key of our own was needed"


def test_who_shares_our_authority_is_not_this_computer(
    home: Path, tmp_path: Path, settings, grant: Grant, card: ModelCard
):
    root_key = ec.generate_private_key(ec.SECP256R1())
    settings('[marking]\ncertificate = "chain.pem"\nkey = "key.pem"\n')
    grant = replace(grant, context=load_context())
    for name in ("theirs", "ours"):
        _, _, root = write_certificate(home, root_key=root_key)
        with (home / "chain.pem").open("a") as file:
            file.write(root)
        publish(as_picture(Image.new("RGB", (16, 16))), tmp_path / f"{name}.png", grant=grant, card=card)
    ours, theirs = (examine(load_context(), tmp_path / f"{name}.png").signed for name in ("ours", "theirs"))
    assert ours is not None and ours.signed_here and ours.intact
    assert theirs is not None and theirs.intact and not theirs.signed_here


def test_an_unusable_key_is_said_before_any_work(home: Path, tmp_path: Path, settings):
    settings('[marking]\ncertificate = "chain.pem"\nkey = "key.pem"\n')
    _, key, _ = write_certificate(home)
    private = serialization.load_pem_private_key(key.read_bytes(), None)
    locked = serialization.BestAvailableEncryption(b"secret")
    key.write_bytes(private.private_bytes(PEM, serialization.PrivateFormat.PKCS8, locked))
    for check in (check_writable, check_media_writable):
        with pytest.raises(SettingsError, match="cannot be used") as raised:
            check(load_context(), tmp_path / "out.png")
        assert "no password" in raised.value.remedy and "secret" not in str(raised.value)


def test_a_home_that_cannot_be_used_is_said_before_any_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "file").write_bytes(b"no folder")
    monkeypatch.setenv("FACECHANGE_HOME", str(tmp_path / "file" / "home"))
    for check in (check_writable, check_media_writable):
        with pytest.raises(OutputError, match="for keys and credentials") as raised:
            check(load_context(), tmp_path / "out.png")
        assert "FACECHANGE_HOME" in raised.value.remedy


def test_an_unusable_certificate_is_refused_before_anything_is_written(
    home, tmp_path: Path, settings, grant: Grant, card: ModelCard
):
    settings('[marking]\ncertificate = "chain.pem"\nkey = "key.pem"\n')
    grant = replace(grant, context=load_context())
    cases = {
        "cannot be used": lambda: (home / "chain.pem").write_bytes(b"none"),
        r"valid from \d{4}-\d\d-\d\d to": lambda: write_certificate(home, days=-1),
        "is not the one of": lambda: write_certificate(home, with_key=ec.generate_private_key(ec.SECP256R1())),
        "of a kind": lambda: write_certificate(home, ec.generate_private_key(ec.SECP256K1())),
    }
    for sentence, prepare in cases.items():
        prepare()
        with pytest.raises(SettingsError, match=sentence) as raised:
            publish(as_picture(Image.new("RGB", (16, 16))), tmp_path / "out.png", grant=grant, card=card)
        assert raised.value.remedy
    assert not list(tmp_path.iterdir())


def test_the_own_key_is_made_once_whoever_comes_first(home: Path):
    with ThreadPoolExecutor(8) as pool:
        keys = list(pool.map(lambda _: load_context().keys.find(), range(8)))
    assert len({key.private_key for key in keys}) == 1
    (path,) = home.glob("signing-*.pem")
    assert path.stat().st_mode & 0o777 == 0o600
    assert "PRIVATE" not in repr(keys[0])
    certificates = x509.load_pem_x509_certificates(keys[0].chain)
    certificates[0].verify_directly_issued_by(certificates[1])
    assert certificates[0].not_valid_before_utc < datetime(NOW.year, 1, 1, tzinfo=UTC)


def test_a_damaged_own_key_is_said(home: Path):
    load_context().keys.find()
    (path,) = home.glob("signing-*.pem")
    path.write_bytes(b"")
    with pytest.raises(OutputError, match="damaged"):
        load_context().keys.find()


def test_an_expired_certificate_shows(home: Path, tmp_path: Path):
    """c2pa refuses to sign with one, so that no file of ours can have one; what the reader says is c2pa's own."""
    chain, key, _ = write_certificate(home, days=-1)
    signer = c2pa.Signer.from_info(c2pa.C2paSignerInfo(b"es256", chain.read_bytes(), key.read_bytes(), None))
    plain = io.BytesIO()
    Image.new("RGB", (16, 16)).save(plain, "PNG")
    with pytest.raises(c2pa.C2paError, match="not valid at time"):
        c2pa.Builder({"claim_generator_info": [{"name": "x"}]}).sign(signer, "image/png", plain, io.BytesIO())


def test_a_time_stamp_service_that_is_down_is_said(home: Path, tmp_path: Path, settings, grant: Grant, card: ModelCard):
    settings('[marking]\ntime_stamp_url = "http://127.0.0.1:9/"\n')
    grant = replace(grant, context=load_context())
    with pytest.raises(OutputError, match="cannot be signed") as raised:
        publish(as_picture(Image.new("RGB", (16, 16))), tmp_path / "out.png", grant=grant, card=card)
    assert "[marking]" in raised.value.remedy
    assert not list(tmp_path.iterdir())
