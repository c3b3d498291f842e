"""The house: which room may import which."""

import ast
from pathlib import Path

import pytest

SRC = Path(__file__).parents[1] / "src" / "veredito"

# A room may import itself and every room named here.
ALLOWED = {
    "types": set(),
    "errors": {"types"},
    "schema": {"types", "errors"},
    "graph": {"types", "errors", "schema"},
    "learn": {"types", "errors", "schema"},
    "model": {"types", "errors", "schema", "learn"},
    "sources": {"types", "errors", "schema", "graph"},
    "decide": {"types", "errors", "schema", "graph"},
    "record": {"types", "errors", "schema"},
    "serve": {"types", "errors", "schema", "graph", "learn", "model", "sources", "decide", "record"},
    "replay": {
        "types",
        "errors",
        "schema",
        "graph",
        "learn",
        "model",
        "sources",
        "decide",
        "record",
        "serve",
    },
    "testing": {
        "types",
        "errors",
        "schema",
        "graph",
        "learn",
        "model",
        "sources",
        "decide",
        "record",
        "serve",
    },
}
ANYTHING = {"cli", "__init__", "__main__"}


def room(path):
    return path.relative_to(SRC).parts[0].removesuffix(".py")


def imported_rooms(path):
    package = ["veredito", *path.relative_to(SRC).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            stem = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*stem, *([node.module] if node.module else [])])
            modules = [f"{module}.{alias.name}" for alias in node.names] if module == "veredito" else [module]
        else:
            continue
        yield from (name.split(".")[1] for name in modules if name.startswith("veredito."))


@pytest.mark.parametrize("path", sorted(SRC.rglob("*.py")), ids=lambda path: str(path.relative_to(SRC)))
def test_imports_point_one_way(path):
    """A room imports only the rooms below it."""
    here = room(path)
    if here in ANYTHING:
        return
    assert here in ALLOWED, f"{here} is not a room of the house: name it in ALLOWED with what it may import"

    above = {there for there in imported_rooms(path) if there not in ALLOWED[here] | {here, "__version__"}}

    assert above == set()
