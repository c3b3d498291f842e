"""The manifest: what an artifact is, as JSON, in a versioned form."""

from __future__ import annotations

import hashlib
import importlib.metadata
from typing import Any, NamedTuple

import msgspec

from veredito.errors import ArtifactError, Problem
from veredito.learn.models.model_step import ModelStep
from veredito.learn.step import Step, walk
from veredito.model.files import MANIFEST, FileEntry

FORMAT = 1
# What a model answers does not depend on these: trained and saved again to the same answers, it is the same version.
_NOT_IDENTITY = ("seal", "version", "created_at", "measured", "log", "metrics")
_NO_SEAL = "0" * 64


class Measured(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How one engine did when the model was saved.

    Args:
        step: the model step, as ``kind`` and its outputs.
        engine: the engine's name.
        one_row_us: median time for one row, in microseconds; none where it was refused.
        difference: the greatest relative difference to the native engine.
        refused: why it may not serve; empty if it may.
        chosen: whether it was chosen.
    """

    step: str
    engine: str
    one_row_us: float | None = None
    difference: float = 0.0
    refused: str = ""
    chosen: bool = False


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What `manifest.json` holds.

    Args:
        format: the version of this form; a reader refuses what it does not know.
        seal: the SHA-256 of the manifest's own bytes, taken with zeros in the seal's place.
        name: what the model is called.
        version: the first 12 digits of the SHA-256 of everything that makes the model answer as it does.
        created_at: when it was saved, UTC.
        inputs: the schema of its rows.
        outputs: the schema of its answers.
        steps: for people: the tree of kinds, parameters and columns.
        engines: the chosen engine of each model step, in the order of the tree.
        libraries: name to version, as it was fitted with.
        tolerance: the greatest relative difference that parity allows; 0 is bit for bit.
        log: the training log.
        metrics: name to number.
        parity_rows: how many rows prove it.
        measured: what choosing the engines measured.
        files: name to hash and size.
    """

    format: int = FORMAT
    seal: str = _NO_SEAL
    name: str
    version: str = ""
    created_at: str
    inputs: dict[str, Any]
    outputs: dict[str, Any]
    steps: dict[str, Any]
    engines: list[str]
    libraries: dict[str, str]
    tolerance: float
    log: Any
    metrics: dict[str, Any]
    parity_rows: int
    measured: list[Measured]
    files: dict[str, FileEntry]

    def encode(self) -> bytes:
        """As bytes of JSON, indented, with its version and its seal set."""
        versioned = msgspec.structs.replace(self, version=self.digest(), seal=_NO_SEAL)
        unsealed = msgspec.json.format(msgspec.json.encode(versioned), indent=1)
        return unsealed.replace(_NO_SEAL.encode(), hashlib.sha256(unsealed).hexdigest().encode(), 1)

    def digest(self) -> str:
        """The version: a short hash of what makes the model answer as it does."""
        identity = {
            key: value for key, value in msgspec.to_builtins(self).items() if key not in _NOT_IDENTITY
        }
        return hashlib.sha256(msgspec.json.encode(identity, order="deterministic")).hexdigest()[:12]

    @classmethod
    def decode(cls, data: bytes) -> Manifest:
        """The manifest, if it is one of a format that is known here, and was not edited.

        Raises:
            ArtifactError: it is not.
        """
        try:
            form = msgspec.json.decode(data, type=_Form).format
            if form != FORMAT:
                hint = "upgrade veredito" if form > FORMAT else "save the model again"
                raise ArtifactError(
                    Problem(MANIFEST, f"format {form} is not known here", (str(FORMAT),), hint)
                )
            manifest = msgspec.json.decode(data, type=cls)
        except (msgspec.DecodeError, RecursionError) as error:
            raise ArtifactError(
                Problem(MANIFEST, f"cannot be read ({error})", hint="copy the folder again")
            ) from None
        # Over the bytes, so that no spelling of the same JSON passes either. The version is not computed again:
        # what counts as a model's identity may come to be seen otherwise, and what was saved stays loadable.
        unsealed = data.replace(manifest.seal.encode(), _NO_SEAL.encode(), 1)
        if manifest.seal != hashlib.sha256(unsealed).hexdigest():
            hint = "copy the folder again, or save the model again"
            raise ArtifactError(Problem(MANIFEST, "was changed after it was saved", hint=hint))
        return manifest


class _Form(msgspec.Struct):
    format: int


class Release(NamedTuple):
    """A library's version, as far as it is compared."""

    major: int
    minor: int


def tree_of(step: Step) -> dict[str, Any]:
    """The step and those inside it, for people to read."""
    tree: dict[str, Any] = {"kind": step.kind, "reads": list(step.reads), "writes": list(step.writes)}
    return tree | ({"steps": [tree_of(child) for child in step.children]} if step.children else {})


def models_of(step: Step) -> list[ModelStep]:
    """The model steps of a tree, in order."""
    return [part for part in walk(step) if isinstance(part, ModelStep)]


def installed(library: str) -> str | None:
    """The version of an installed library, without importing it; some come in a build for processors only."""
    for name in (library, f"{library}-cpu"):
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return None


def library_problems(step: Step, fitted_with: dict[str, str]) -> list[Problem]:
    """Which model libraries are too old here, or another major version than the model was fitted with.

    A newer minor version may serve: parity decides. So may one that is not installed: an engine that does
    without it is looked for, and its absence is said when the model is bound.
    """
    problems = []
    for library in sorted({model.library for model in models_of(step) if model.library}):
        wanted, found = fitted_with.get(library), installed(library)
        if wanted is None or found is None:
            continue
        fitted, here = _release(wanted), _release(found)
        if here.major != fitted.major or here < fitted:
            hint = f"pip install '{library}>={wanted},<{fitted.major + 1}', or train again"
            problems.append(
                Problem(library, f"is {found} here, and the model was fitted with {wanted}", hint=hint)
            )
    return problems


def _release(version: str) -> Release:
    parts = [int(part) if part.isdigit() else 0 for part in version.split(".")[:2]]
    return Release(*[*parts, 0, 0][:2])
