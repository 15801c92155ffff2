"""What stands behind ``$``, ``@`` and ``%``: Python that can be read, names and ids that are
there.
"""

from __future__ import annotations

import ast
import builtins
import importlib
import pydoc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from monai.bundle import ConfigParser, ReferenceResolver
from monai.bundle.config_item import ConfigExpression

from monai_ich.bundle_check.config import Config, is_plain, load, walk
from monai_ich.bundle_check.nearest import nearest, typed
from monai_ich.bundle_check.packages import is_trusted
from monai_ich.core.errors import BundleError

GLOBALS = ("monai", "torch", "np", "numpy")  # what MONAI gives to each expression


def replace_macros(config: Config) -> Iterator[BundleError]:
    """Put what ``%id`` and ``%file::id`` lead to in their place; ``MISSING_FILE``,
    ``UNKNOWN_REFERENCE``.
    """
    texts = [
        (at, value)
        for at, value in walk(config.parser.get())
        if isinstance(value, str) and value.startswith("%")
    ]
    faults = [
        f for at, text in texts for f in _check_macro(config, at, text)
    ]  # the metadata's, too
    yield from faults
    if not faults:
        try:
            config.parser.resolve_macro_and_relative_ids()
        except ValueError as error:
            yield BundleError(
                "UNKNOWN_REFERENCE", f"A relative id leads out of the config: {error}."
            )
        except (KeyError, IndexError, TypeError, RecursionError, OSError):
            yield BundleError("UNKNOWN_REFERENCE", "A macro (%) of the config leads nowhere.")


def _check_macro(config: Config, at: str, text: str) -> Iterator[BundleError]:
    if text.startswith("%#"):
        return  # relative: MONAI says it
    path, inner = ConfigParser.split_path_id(text[1:])
    if path and not Path(path).is_file():
        yield BundleError(
            "MISSING_FILE", f"{typed(at)}: the file {path} of the macro {text} is not there."
        )
        return
    source = ConfigParser(load(Path(path))) if path else config.parser
    if inner and inner not in source:
        hint = nearest(inner, config.ids if not path else source.get())
        yield BundleError("UNKNOWN_REFERENCE", f"{typed(at)}: {text} leads nowhere{hint}")


def references(value: Any) -> set[str]:
    """The ids that a value, or anything in it, refers to."""
    if isinstance(value, str):
        return set(ReferenceResolver.match_refs_pattern(value))
    if isinstance(value, dict):
        return set().union(*(references(v) for v in value.values()))
    return set().union(*(references(v) for v in value)) if isinstance(value, list) else set()


def check_expressions(config: Config, *, trust: bool) -> Iterator[BundleError]:
    """``UNKNOWN_REFERENCE``, ``BAD_EXPRESSION``, ``UNKNOWN_IMPORT``, ``UNKNOWN_NAME``.

    Args:
        config: its macros replaced.
        trust: whether modules of others are imported to see whether they are there.
    """
    known = {*GLOBALS, *dir(builtins), "__local_refs"}
    python: dict[str, ast.AST] = {}
    for at, text in config.texts():
        for to in sorted(references(text)):
            if to not in config.parser:
                hint = nearest(to, config.ids)
                yield BundleError(
                    "UNKNOWN_REFERENCE", f"{typed(at)}: @{typed(to)} leads nowhere{hint}"
                )
        if not ConfigExpression.is_expression(text):
            continue
        try:
            python[at] = tree = parse(text)
        except SyntaxError as error:
            yield BundleError(
                "BAD_EXPRESSION", f"{typed(at)}: {text[:80]} is not Python: {error.msg}."
            )
            continue
        if isinstance(tree, (ast.Import, ast.ImportFrom)):
            known.add(tree.names[0].asname or tree.names[0].name)
            yield from _check_import(at, tree, trust=trust)
    for at, tree in python.items():
        bound = {n.arg for n in ast.walk(tree) if isinstance(n, ast.arg)}
        names = [n for n in ast.walk(tree) if isinstance(n, ast.Name)]
        bound |= {n.id for n in names if isinstance(n.ctx, ast.Store)}
        for name in sorted({n.id for n in names} - bound - known):
            yield BundleError(
                "UNKNOWN_NAME", f"{typed(at)}: {name} is not imported{nearest(name, known)}"
            )
        yield from _check_attributes(config, at, tree)


def _check_attributes(config: Config, at: str, tree: ast.AST) -> Iterator[BundleError]:
    """Text or a number where the expression wants an object, as in ``--device cpu`` for
    ``@device.type``.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Subscript):
            to = getattr(node.value.slice, "value", None)
            value = config.literal(f"@{to}")
            if (is_plain(value) or isinstance(value, (int, float))) and not hasattr(
                value, node.attr
            ):
                message = (
                    f"{typed(str(to))} is {value!r}, which has no {node.attr}: {typed(at)} "
                    "wants an object."
                )
                yield BundleError("WRONG_TYPE", message)


def parse(expression: str) -> ast.AST:
    """The Python of an expression; a reference becomes ``__local_refs['id']``, as in MONAI.

    Raises:
        SyntaxError: where it is none.
    """
    refs = {i: f"__local_refs[{i!r}]" for i in references(expression)}
    text = ReferenceResolver.normalize_id(expression)[1:]
    for i in sorted(refs, key=len, reverse=True):
        text = text.replace(f"@{i}", refs[i])
    try:
        if ConfigExpression.is_import_statement(expression):
            return ast.parse(text).body[0]
        return ast.parse(text.strip(), mode="eval")
    except (
        MemoryError,
        RecursionError,
        ValueError,
        IndexError,
    ):  # nested too deeply, a null byte, nothing at all
        raise SyntaxError("it cannot be read") from None


def _check_import(
    at: str, tree: ast.Import | ast.ImportFrom, *, trust: bool
) -> Iterator[BundleError]:
    name = tree.names[0].name
    module = (tree.module or "") if isinstance(tree, ast.ImportFrom) else name
    if not (trust or is_trusted(module)):
        return  # said as UNTRUSTED_CODE
    try:
        found = importlib.import_module(module)
    except Exception:  # code of others fails as it likes
        yield BundleError("UNKNOWN_IMPORT", f"{typed(at)}: the module {module} cannot be imported.")
        return
    if (
        isinstance(tree, ast.ImportFrom)
        and not hasattr(found, name)
        and pydoc.locate(f"{module}.{name}") is None
    ):
        hint = nearest(name, dir(found))
        yield BundleError("UNKNOWN_IMPORT", f"{typed(at)}: {module} has no {name}{hint}")
