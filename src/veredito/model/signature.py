"""Ed25519 signatures of a manifest, and through its hashes of every file.

Hashes alone find damage; whoever changes a file on purpose can change its hash too. A signature says who
made the artifact. It covers the bytes of the manifest.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeAlias

from veredito.errors import ArtifactError, MissingExtraError, Problem
from veredito.model.files import SIGNATURE

Key: TypeAlias = str | Path | bytes | Any
"""A PEM file's path, its content, or the key object of `cryptography`."""

_PEM_BYTES_MAX = 65_536


def sign(manifest: bytes, key: Key) -> bytes:
    """The signature of a manifest, by a private key.

    Raises:
        MissingExtraError: `cryptography` is not installed.
        ArtifactError: the key is not an Ed25519 private key.
    """
    return bytes(_key(key, private=True).sign(manifest))


def check_signature(manifest: bytes, signature: bytes | None, key: Key) -> None:
    """Pass if the manifest was signed by the private key of this public key.

    Raises:
        MissingExtraError: `cryptography` is not installed.
        ArtifactError: there is no signature, it does not fit, or the key is not an Ed25519 public key.
    """
    public = _key(key, private=False)
    if signature is None:
        hint = "save it with sign_with=<private key>"
        raise ArtifactError(Problem(SIGNATURE, "a signature is required, and there is none", hint=hint))
    from cryptography.exceptions import InvalidSignature

    try:
        public.verify(signature, manifest)
    except InvalidSignature:
        what = "the signature does not fit the manifest and this public key"
        raise ArtifactError(
            Problem(SIGNATURE, what, hint="get the artifact again from who signed it")
        ) from None


def _key(key: Key, *, private: bool) -> Any:
    try:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError:
        raise MissingExtraError("cryptography", "signing", purpose="a model's signature") from None
    wanted = ed25519.Ed25519PrivateKey if private else ed25519.Ed25519PublicKey
    if isinstance(key, str | Path):
        key = _pem(Path(key))
    if isinstance(key, bytes):
        try:
            key = (
                serialization.load_pem_private_key(key, None)
                if private
                else serialization.load_pem_public_key(key)
            )
        except (ValueError, TypeError) as error:
            raise ArtifactError(Problem("key", f"is not a readable PEM key ({error})")) from None
    if not isinstance(key, wanted):
        raise ArtifactError(Problem("key", f"is not an Ed25519 {'private' if private else 'public'} key"))
    return key


def _pem(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ArtifactError(Problem(str(path), f"the key cannot be read ({error.strerror})")) from None
    return data[:_PEM_BYTES_MAX]
