"""The artifact: a model as a folder, saved with the rows that prove it, loaded only if it still does.

::

    fraud/
      manifest.json       what it is: schemas, steps, libraries, engines, log, metrics, every file's SHA-256
      manifest.sig        Ed25519, if it was signed
      state.json          the steps and what they learned
      arrays.arrow        their arrays
      parity.arrow        rows, edge rows, and the answers to them
      0-lightgbm.txt      the library's own format
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from veredito.errors import ArtifactError, DefinitionError, MissingExtraError, Problem
from veredito.learn.logs import library_versions, plain
from veredito.learn.step import Step
from veredito.model.codec import STATE, StateReader, StateWriter
from veredito.model.engines import available_engines, choose_engines, tolerance_of
from veredito.model.files import (
    MANIFEST,
    MANIFEST_BYTES_MAX,
    SIGNATURE,
    entry_of,
    read_file,
    read_listed,
    write_folder,
)
from veredito.model.manifest import Manifest, installed, library_problems, models_of, tree_of
from veredito.model.parity import PARITY, compare, parity_bytes, parity_table, read_parity, warm_up
from veredito.model.rowplan import RowPlan
from veredito.model.signature import Key, check_signature, sign
from veredito.schema import Field, Schema

_SIGNATURE_BYTES_MAX = 4_096
_ALWAYS = (
    "python",
    "veredito",
    "polars",
    "numpy",
)  # not what else happens to be loaded in the process that saves

_log = logging.getLogger("veredito.model")


class Model:
    """A loaded, proven model: a table form and a row plan over the same steps.

    Args:
        manifest: what it is.
        step: the fitted steps.
        rows: the row plan.
        notes: what is not as it was saved, such as an engine that stood in for another.
    """

    def __init__(self, manifest: Manifest, step: Step, rows: RowPlan, notes: Sequence[str] = ()) -> None:
        self.manifest, self.step, self.rows, self.notes = manifest, step, rows, tuple(notes)

    @property
    def name(self) -> str:
        """What the model is called."""
        return self.manifest.name

    @property
    def version(self) -> str:
        """The first 12 digits of the SHA-256 of its content."""
        return self.manifest.version

    @property
    def in_schema(self) -> Schema:
        """The schema of its rows."""
        return self.rows.inputs

    @property
    def out_schema(self) -> Schema:
        """The schema of its answers."""
        return self.rows.outputs_schema

    @cached_property
    def log(self) -> Any:
        """The training log."""
        return self.manifest.log

    def __call__(self, table: Any) -> Any:
        """The table with the model's columns added: same rows, same order.

        Raises:
            LearnerError: a column is missing or of the wrong type; every one is named.
        """
        return self.step(table)

    def __repr__(self) -> str:
        return f"Model {self.name} {self.version}: {', '.join(self.in_schema.names)} ▸ {', '.join(self.out_schema.names)}"


def save(
    step: Step,
    folder: str | Path,
    *,
    sample: pl.DataFrame,
    name: str | None = None,
    inputs: Schema | None = None,
    outputs: Schema | Sequence[str] | None = None,
    log: Mapping[str, Any] | None = None,
    metrics: Mapping[str, Any] | None = None,
    sign_with: Key | None = None,
    replace: bool = False,
) -> Manifest:
    """Save fitted steps as a folder that is there whole or not at all.

    Args:
        step: what a learner fitted.
        folder: where; it must not be there, unless `replace`.
        sample: rows as the model will meet them, some hundreds: for schemas, parity and the choice of engines.
        name: what the model is called; the folder's name if not given.
        inputs: the schema of rows; from the sample if not given, every field nullable.
        outputs: the schema of answers, or their names; what models and the steps after them write if not given.
        log: the training log.
        metrics: name to number.
        sign_with: an Ed25519 private key: a PEM file's path, its bytes, or the key object.
        replace: whether a folder that is there may be replaced.

    Returns:
        The manifest as it was written.

    Raises:
        ArtifactError: the steps cannot be saved, or their two forms do not agree on the sample.
        SchemaError: the schemas do not fit the steps.
    """
    folder = Path(folder)
    name = name or folder.name
    in_schema, out_schema = _schemas(step, sample, name, inputs, outputs)
    RowPlan(step, in_schema, out_schema, name=name)  # schemas that do not fit are said before anything is run
    parity = parity_table(step, sample, in_schema, out_schema)
    step, measured = choose_engines(step, parity, in_schema, out_schema)
    tolerance = tolerance_of(step)
    if tolerance:  # what serves is what is proven: the answers are those of the chosen engines
        parity = parity_table(step, sample, in_schema, out_schema)
    problems = compare(RowPlan(step, in_schema, out_schema, name=name), parity, tolerance)
    if problems:
        raise ArtifactError(problems, title="the row form does not give what the table form gives")
    writer = StateWriter()
    files = writer.files(writer.step(step)) | {PARITY: parity_bytes(parity)}
    manifest = Manifest(
        name=name,
        created_at=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        inputs=in_schema.to_dict(),
        outputs=out_schema.to_dict(),
        steps=tree_of(step),
        engines=[model.engine for model in models_of(step)],
        libraries=_libraries(step),
        tolerance=tolerance,
        log=_jsonable(log or {}),
        metrics=_jsonable(metrics or {}),
        parity_rows=parity.height,
        measured=measured,
        files={file: entry_of(data) for file, data in files.items()},
    )
    encoded = manifest.encode()
    files[MANIFEST] = encoded
    if sign_with is not None:
        files[SIGNATURE] = sign(encoded, sign_with)
    write_folder(folder, files, replace=replace)
    return Manifest.decode(encoded)


def load(folder: str | Path, *, require_signature: Key | None = None) -> Model:
    """Load a model, if everything about it is as it was saved. Nothing is unpickled.

    In order: the signature (where one is required), the format, the names, sizes and hashes of all files, the
    versions of its model libraries, the state, and parity: every saved row, in one block and alone, must give
    the answers saved with it. By then the row plan is warm.

    Args:
        folder: as `save` wrote it.
        require_signature: the Ed25519 public key that must have signed it: a PEM file's path, its bytes, or the
            key object. Without it a signature is not looked at.

    Raises:
        ArtifactError: names what is wrong.
        MissingExtraError: a library that the model cannot do without is not installed.
    """
    folder = Path(folder)
    manifest, contents = read_verified(folder, require_signature)
    saved = StateReader(contents).read()
    step, plan, notes = _bound(saved, manifest)
    parity = read_parity(contents[PARITY], plan)
    # The manifest's word counts only as far as the engines that it was saved with are known to be inexact.
    problems = compare(plan, parity, min(manifest.tolerance, tolerance_of(saved)))
    if problems:
        raise ArtifactError(problems)
    warm_up(plan, parity)
    for note in notes:
        _log.warning("model %s: %s", manifest.name, note)
    return Model(manifest, step, plan, notes)


def read_verified(folder: Path, require_signature: Key | None = None) -> tuple[Manifest, dict[str, bytes]]:
    """The manifest and every file's content, with signature, format, sizes and hashes checked.

    Raises:
        ArtifactError: names what is wrong.
    """
    if not folder.is_dir():
        raise ArtifactError(Problem(str(folder), "is no folder", hint="name the folder that `save` wrote"))
    encoded = read_file(folder, MANIFEST, MANIFEST_BYTES_MAX)
    if require_signature is not None:
        signed = (folder / SIGNATURE).exists()
        signature = read_file(folder, SIGNATURE, _SIGNATURE_BYTES_MAX) if signed else None
        check_signature(encoded, signature, require_signature)
    manifest = Manifest.decode(encoded)
    if PARITY not in manifest.files:
        raise ArtifactError(Problem(MANIFEST, f"lists no {PARITY}", hint="save the model again"))
    return manifest, read_listed(folder, manifest.files)


def _bound(saved: Step, manifest: Manifest) -> tuple[Step, RowPlan, list[str]]:
    try:
        if problems := library_problems(saved, manifest.libraries):
            raise ArtifactError(problems)
        step, notes = available_engines(saved)
        inputs, outputs = Schema.from_dict(manifest.inputs), Schema.from_dict(manifest.outputs)
        return step, RowPlan(step, inputs, outputs, name=manifest.name), notes
    except (ArtifactError, MissingExtraError):
        raise
    except DefinitionError as error:
        raise ArtifactError(error.problems) from error
    except Exception as error:
        # State that was written by other hands can have the right form, and be nonsense to the step that reads it.
        what = f"does not hold a model that can run ({type(error).__name__}: {error})"
        raise ArtifactError(Problem(STATE, what, hint="save the model again")) from error


def _schemas(
    step: Step,
    sample: pl.DataFrame,
    name: str,
    inputs: Schema | None,
    outputs: Schema | Sequence[str] | None,
) -> tuple[Schema, Schema]:
    absent = [column for column in step.reads if column not in sample.columns]
    if absent:
        raise ArtifactError(
            [Problem("sample", f"lacks the column '{column}', which the model reads") for column in absent]
        )
    if sample.is_empty():
        raise ArtifactError(
            Problem("sample", "has no rows", hint="give some hundred rows that the model will meet")
        )
    in_schema = inputs or Schema.of_table(sample.select(step.reads), _title(name, "Input"))
    if isinstance(outputs, Schema):
        return in_schema, outputs
    names = tuple(outputs) if outputs is not None else _answers(step)
    try:
        answers = step(sample).select(names)
    except Exception as error:  # a user's step or a library may raise anything here
        raise ArtifactError(Problem("sample", f"the model cannot answer it ({error})")) from error
    found = Schema.of_table(answers, _title(name, "Output"))
    fields = [Field(f.name, f.kind, nullable=_has_missing(answers[f.name])) for f in found]
    return in_schema, Schema(found.name, fields)


def _answers(step: Step) -> tuple[str, ...]:
    """What the models write, and what the steps after the last of them do; without a model, all there is."""
    parts = step.children if step.kind == "pipeline" else (step,)
    with_models = [i for i, part in enumerate(parts) if models_of(part)]
    if not with_models:
        return step.writes
    written = {name: None for part in parts[with_models[0] :] for name in part.writes}
    return tuple(name for name in written if name in step.writes)


def _has_missing(answers: pl.Series) -> bool:
    return bool(answers.null_count()) or bool(answers.dtype.is_float() and answers.is_nan().any())


def _title(name: str, ending: str) -> str:
    words = "".join(part.capitalize() for part in "".join(c if c.isalnum() else " " for c in name).split())
    return f"{words}{ending}" if words[:1].isalpha() else f"Model{ending}"


def _libraries(step: Step) -> dict[str, str]:
    needed = {model.library for model in models_of(step) if model.library}
    ours = {name: version for name, version in library_versions().items() if name in _ALWAYS}
    return ours | {name: version for name in sorted(needed) if (version := installed(name))}


def _jsonable(value: Any) -> Any:
    try:
        return msgspec.json.decode(msgspec.json.encode(plain(value)))  # NaN becomes null: JSON has none
    except (TypeError, ValueError, RecursionError) as error:
        raise ArtifactError(
            Problem("log", f"is no JSON ({error})", hint="numbers, texts, lists and mappings")
        ) from error
