"""Detached signatures over one file: ECDSA P-256 over SHA-256, the base64 of the DER form.

The form that `cosign sign-blob` writes and `cosign verify-blob` takes; `openssl dgst -sha256 -verify` takes it
after `base64 -d`.
"""

from __future__ import annotations

import base64
import binascii
from pathlib import Path

from bundler.content.files import disk_errors
from bundler.errors import SignatureRefused, UsageError
from bundler.model.limits import DEFAULT_LIMITS, Limits, beyond


def verify_signature(data: bytes, signature: bytes, key: Path, limits: Limits = DEFAULT_LIMITS) -> None:
    """Prove that the owner of a key signed some bytes.

    Args:
        data: What was signed.
        signature: The base64 of a DER signature; white space around it is allowed.
        key: A file with the public key in PEM form.
        limits: Bounds that file.

    Raises:
        SignatureRefused: the signature is not of this form, or not made by this key over these bytes.
        UsageError: the file holds no P-256 public key. NotFound, DiskError: it cannot be read.
    """
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    with disk_errors(key), key.open("rb") as file:
        pem = file.read(limits.signature_bytes + 1)
    if len(pem) > limits.signature_bytes:
        raise UsageError(str(beyond(limits.signature_bytes, f"{key} is no public key")))
    try:
        public = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise UsageError(f"{key} holds no public key in PEM form", advice="Name the .pub file.") from error
    if not isinstance(public, ec.EllipticCurvePublicKey) or public.curve.name != "secp256r1":
        raise UsageError(f"{key} holds no ECDSA P-256 key", advice="Name the key that signed the bundle.")
    try:
        public.verify(base64.b64decode(signature.strip(), validate=True), data, ec.ECDSA(SHA256()))
    except (binascii.Error, ValueError) as error:
        raise SignatureRefused("the signature is not base64") from error
    except InvalidSignature as error:
        raise SignatureRefused(f"the signature was not made by {key.name} over these bytes") from error
