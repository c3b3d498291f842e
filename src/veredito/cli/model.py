"""``veredito model``: look into a saved model, check it, compare two."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import cyclopts
import msgspec
from rich.console import Console
from rich.table import Table
from rich.tree import Tree

from veredito.errors import ArtifactError, MissingExtraError

if TYPE_CHECKING:
    from veredito.model import Change, Manifest

app = cyclopts.App(name="model", help="Look into saved models: inspect, verify, diff.")
_console = Console(soft_wrap=True, highlight=False, markup=False)


@app.command
def inspect(folder: Path, *, json: bool = False) -> int:
    """Show what a model is: schemas, steps, engines, metrics, libraries. Files and hashes are checked first.

    Parameters
    ----------
    folder
        The model's folder.
    json
        Print the manifest as JSON.
    """
    from veredito.model.artifact import read_verified

    manifest, _ = read_verified(folder)
    if json:
        _print_json(manifest)
        return 0
    _console.print(
        f"{manifest.name} {manifest.version}, format {manifest.format}, saved {manifest.created_at}"
    )
    _console.print(_steps(manifest.steps))
    for title, schema in (("reads", manifest.inputs), ("answers", manifest.outputs)):
        _console.print(_fields(title, schema))
    _console.print(_engines(manifest))
    for title, numbers in (("metric", manifest.metrics), ("library", manifest.libraries)):
        if numbers:
            _console.print(_pairs(title, numbers))
    size = sum(entry.size for entry in manifest.files.values())
    _console.print(
        f"{len(manifest.files)} files, {size:,} bytes; {manifest.parity_rows} parity rows, "
        + (f"tolerance {manifest.tolerance:g}" if manifest.tolerance else "bit for bit")
    )
    return 0


@app.command
def verify(folder: Path, *, public_key: Path | None = None, json: bool = False) -> int:
    """Load a model as a service would, and say whether it can be served; the exit code is 1 if not.

    Parameters
    ----------
    folder
        The model's folder.
    public_key
        A PEM file with the Ed25519 public key that must have signed it.
    json
        Print JSON.
    """
    from veredito.model import load

    try:
        model = load(folder, require_signature=public_key)
    except (ArtifactError, MissingExtraError) as error:
        if json:
            _print_json({"ok": False, "problems": [str(problem) for problem in error.problems]})
        else:
            _console.print(str(error))
        return 1
    manifest = model.manifest
    if json:
        facts = {"name": model.name, "version": model.version, "parity_rows": manifest.parity_rows}
        _print_json({"ok": True, **facts, "notes": model.notes})
        return 0
    signed = "signature fits, " if public_key else ""
    _console.print(
        f"{model.name} {model.version} is good: {signed}{len(manifest.files)} files as saved, "
        f"{manifest.parity_rows} parity rows give the answers saved with them"
    )
    for note in model.notes:
        _console.print(f"note: {note}")
    return 0


@app.command
def diff(before: Path, after: Path, *, json: bool = False) -> int:
    """Say what changed from one model to another; the exit code is 1 if anything did.

    Parameters
    ----------
    before
        A model's folder.
    after
        Another's.
    json
        Print JSON.
    """
    from veredito.model import changes

    found = changes(before, after)
    if json:
        _print_json(found)
    elif not found:
        _console.print("nothing changed")
    else:
        _console.print(_changes(found))
    return 1 if found else 0


def _print_json(value: Any) -> None:
    _console.print(str(msgspec.json.encode(value), "utf-8"))


def _steps(tree: dict[str, Any]) -> Tree:
    shown = Tree(_step_line(tree))
    _add(shown, tree)
    return shown


def _add(shown: Tree, tree: dict[str, Any]) -> None:
    for step in tree.get("steps", ()):
        _add(shown.add(_step_line(step)), step)


def _step_line(step: dict[str, Any]) -> str:
    return f"{step['kind']}: {_names(step['reads'])} ▸ {_names(step['writes'])}"


def _names(names: list[str], at_most: int = 6) -> str:
    more = f" and {len(names) - at_most} more" if len(names) > at_most else ""
    return ", ".join(names[:at_most]) + more


def _fields(title: str, schema: dict[str, Any]) -> Table:
    from veredito.schema import Schema
    from veredito.schema.forms import words

    table = Table(f"{title}: {schema['name']}", "what it is")
    for field in Schema.from_dict(schema):
        table.add_row(field.name, words(field))
    return table


def _engines(manifest: Manifest) -> Table:
    table = Table("model", "engine", "one row, µs", "off by", "")
    for measured in manifest.measured:
        time = "" if measured.one_row_us is None else f"{measured.one_row_us:g}"
        said = "chosen" if measured.chosen else measured.refused
        table.add_row(measured.step, measured.engine, time, f"{measured.difference:.2g}", said)
    return table


def _pairs(title: str, pairs: dict[str, Any]) -> Table:
    table = Table(title, "")
    for name, value in pairs.items():
        table.add_row(name, str(value))
    return table


def _changes(found: list[Change]) -> Table:
    table = Table("part", "where", "what", "before", "after")
    for change in found:
        table.add_row(change.part, change.place, change.what, change.before, change.after)
    return table
