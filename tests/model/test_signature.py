"""A signature says who made an artifact; where one is required, nothing else is loaded."""

import shutil

import pytest
from tests.model.artifacts import SAMPLE, forge

from veredito import model
from veredito.errors import ArtifactError

serialization = pytest.importorskip("cryptography.hazmat.primitives.serialization")
ed25519 = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ed25519")
rsa = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.rsa")

OURS = ed25519.Ed25519PrivateKey.generate()
THEIRS = ed25519.Ed25519PrivateKey.generate()


def pem(key):
    """A key as PEM: of a private one without a password."""
    if hasattr(key, "private_bytes"):
        return key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


@pytest.fixture(scope="module")
def signed_once(trained, tmp_path_factory):
    folder = tmp_path_factory.mktemp("signed") / "fraud"
    model.save(trained.step, folder, sample=SAMPLE, sign_with=OURS)
    return folder


@pytest.fixture
def signed(signed_once, tmp_path):
    return shutil.copytree(signed_once, tmp_path / "fraud")


class TestSigned:
    @pytest.mark.parametrize("form", ["object", "bytes", "path", "text"])
    def test_it_is_loaded_with_the_key_that_fits(self, signed, tmp_path, form):
        """The key may be given as `cryptography` has it, as PEM, or as a PEM file."""
        key = OURS.public_key()
        (tmp_path / "key.pem").write_bytes(pem(key))
        forms = {
            "object": key,
            "bytes": pem(key),
            "path": tmp_path / "key.pem",
            "text": str(tmp_path / "key.pem"),
        }

        assert model.load(signed, require_signature=forms[form]).name == "fraud"

    def test_it_is_loaded_where_no_signature_is_required(self, signed):
        """A signature is for those who ask for it."""
        assert model.load(signed).name == "fraud"

    def test_another_key_does_not_fit(self, signed):
        """Whoever signed it was not who is trusted."""
        with pytest.raises(ArtifactError, match=r"manifest\.sig: the signature does not fit"):
            model.load(signed, require_signature=THEIRS.public_key())

    def test_a_forgery_does_not_fit(self, signed):
        """Hashes can be made to match, a signature cannot."""
        forge(signed, metrics={"auc": 1.0})
        assert model.load(signed).manifest.metrics == {"auc": 1.0}

        with pytest.raises(ArtifactError, match="the signature does not fit"):
            model.load(signed, require_signature=OURS.public_key())

    def test_it_is_checked_before_anything_is_parsed(self, signed):
        """What nobody signed is not even read as JSON."""
        (signed / "manifest.json").write_bytes(b"not JSON at all")

        with pytest.raises(ArtifactError, match="the signature does not fit"):
            model.load(signed, require_signature=OURS.public_key())

    @pytest.mark.parametrize("data", [b"", b"0" * 64, b"0" * 63])
    def test_a_signature_that_is_none_does_not_fit(self, signed, data):
        """Empty, of the right length, or short."""
        (signed / "manifest.sig").write_bytes(data)

        with pytest.raises(ArtifactError, match="the signature does not fit"):
            model.load(signed, require_signature=OURS.public_key())

    def test_a_signature_has_a_limit(self, signed):
        """Of what is read before anything is known."""
        (signed / "manifest.sig").write_bytes(b"0" * 5_000)

        with pytest.raises(ArtifactError, match="is 5000 bytes, and 4096 are allowed"):
            model.load(signed, require_signature=OURS.public_key())

    def test_a_damaged_file_is_found_behind_a_good_signature(self, signed):
        """The signature covers the manifest, and the manifest all files."""
        (signed / "0-lightgbm.txt").write_bytes(b"tree")

        with pytest.raises(ArtifactError, match=r"0-lightgbm\.txt: has 4 bytes"):
            model.load(signed, require_signature=OURS.public_key())


def test_an_unsigned_model_is_refused_where_a_signature_is_required(original):
    """With how to sign it."""
    with pytest.raises(
        ArtifactError, match=r"a signature is required, and there is none\. Hint: .*sign_with"
    ):
        model.load(original, require_signature=OURS.public_key())


def test_a_service_that_requires_a_signature_serves_no_unsigned_model(original, tmp_path):
    """As the config says it."""
    from veredito.errors import ConfigError
    from veredito.serve.assemble import assemble

    (tmp_path / "key.pem").write_bytes(pem(OURS.public_key()))
    (tmp_path / "service.toml").write_text(
        f'[service]\nname = "m"\n[models.fraud]\nartifact = "{original}"\npublic_key = "key.pem"\n'
    )

    with pytest.raises(ConfigError, match=r"\[models\.fraud\]: manifest\.sig: a signature is required"):
        assemble(tmp_path / "service.toml")


class TestKeys:
    @pytest.mark.parametrize(
        "key", [b"no key", b"", pem(OURS), b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"]
    )
    def test_what_is_no_public_key_is_said(self, signed, key):
        """Without repeating it: it may be the private one."""
        with pytest.raises(ArtifactError, match="key: is not a readable PEM key") as caught:
            model.load(signed, require_signature=key)

        assert "BEGIN PRIVATE" not in str(caught.value)

    def test_a_key_of_another_kind_is_said(self, signed):
        """RSA is a good kind, and not this one."""
        key = rsa.generate_private_key(65537, 1024)

        with pytest.raises(ArtifactError, match="key: is not an Ed25519 public key"):
            model.load(signed, require_signature=key.public_key())

    def test_a_key_file_that_is_not_there_is_named(self, signed, tmp_path):
        """As it was given."""
        with pytest.raises(ArtifactError, match=r"nokey\.pem: the key cannot be read \(No such file"):
            model.load(signed, require_signature=tmp_path / "nokey.pem")

    def test_signing_needs_the_private_key(self, trained, tmp_path):
        """And without it nothing is written."""
        with pytest.raises(ArtifactError, match="key: is not an Ed25519 private key"):
            model.save(trained.step, tmp_path / "m", sample=SAMPLE, sign_with=OURS.public_key())

        assert list(tmp_path.iterdir()) == []
