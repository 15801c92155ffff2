"""Which code a check may import or make without being told that the bundle is trusted.

A bundle is code: its imports, targets and expressions can do whatever the user can, and a check
that ran them would do it, too. Only modules of MONAI, PyTorch, Ignite, NumPy and this toolkit are
imported to be looked at, and only networks, transforms and inferers of theirs are made, from plain
values.
"""

from __future__ import annotations

import ast
import inspect
import pydoc
import re
from collections.abc import Iterable, Iterator
from typing import Any

from monai.bundle.config_item import ConfigComponent, ConfigExpression

from monai_ich.bundle_check.config import Config, is_plain, walk
from monai_ich.bundle_check.expressions import parse, references
from monai_ich.bundle_check.nearest import typed
from monai_ich.bundle_check.packages import is_trusted, is_trusted_target
from monai_ich.core.errors import BundleError

_MADE = (
    "torch.nn.modules.",
    "monai.networks.",
    "monai.transforms.",
    "monai.inferers.",
    "monai_ich.parts.",
)
_FETCHING = re.compile("pretrain|url|path|hub|file|dir|cache|download", re.IGNORECASE)
_NEVER = (
    *("__import__", "breakpoint", "compile", "delattr", "eval", "exec", "getattr", "globals"),
    *("input", "locals", "open", "setattr", "vars"),
)
_OF_OS = ("cpu_count", "environ", "getcwd", "listdir", "makedirs", "path", "sep")
_IN_TORCH = re.compile(
    r"torch\.(nn\.\w+|device|u?int\d+|b?float\d*|double|half|long|bool|cuda\.is_available)"
)


def check_trust(config: Config) -> Iterator[BundleError]:
    """``UNTRUSTED_CODE`` for imports, targets and expressions that a check leaves alone."""
    why = "which a check neither imports nor runs: read it, then pass --trust"
    for at, value in walk(config.parser.get()):
        if at.startswith("_meta_"):
            continue
        for found in sorted(_foreign(config, at, value)):
            yield BundleError("UNTRUSTED_CODE", f"{typed(at)} uses {found}, {why}.")


def _foreign(config: Config, at: str, value: Any) -> set[str]:
    """What in a value comes from other packages, or reaches out of an expression."""
    if ConfigComponent.is_instantiable(value):
        target = _target(config, at, value)
        return (
            {target[:80]}
            if is_plain(target) and "." in target and not is_trusted_target(target)
            else set()
        )
    if not ConfigExpression.is_expression(value):
        return set()
    try:
        tree = parse(value)
    except SyntaxError:  # said elsewhere
        return set()
    if isinstance(tree, (ast.Import, ast.ImportFrom)):
        modules = (
            [tree.module or ""]
            if isinstance(tree, ast.ImportFrom)
            else [name.name for name in tree.names]
        )
        names = [
            f"os.{n.name}"
            for n in tree.names
            if modules == ["os"] and isinstance(tree, ast.ImportFrom)
        ]
        return {m for m in modules if not is_trusted(m)} | {n for n in names if n[3:] not in _OF_OS}
    return {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and n.id in _NEVER} | set(
        _reaching(tree)
    )


def _reaching(tree: ast.AST) -> Iterator[str]:
    """Attributes that lead out of an object (``__class__``...), or into what ``os`` does to the
    machine.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            if node.attr.startswith("__"):
                yield node.attr
            elif (
                isinstance(node.value, ast.Name)
                and node.value.id == "os"
                and node.attr not in _OF_OS
            ):
                yield f"os.{node.attr}"


def _target(config: Config, at: str, value: Any) -> str:
    return str(ConfigComponent(value, at, config.parser.locator).resolve_module_name())


def not_made(config: Config, ids: Iterable[str]) -> str | None:
    """The first id that a check must not make without trust: a foreign import anywhere, or a part
    of one of `ids`.

    Args:
        config: its macros replaced.
        ids: what would be made.
    """
    for at, value in walk(config.parser.get()):  # MONAI runs every import before it makes anything
        is_import = ConfigExpression.is_expression(value) and ConfigExpression.is_import_statement(
            value
        )
        if is_import and _foreign(config, at, value):
            return at
    waiting, seen = list(ids), set[str]()
    while waiting:
        top = waiting.pop()
        if top in seen:
            continue
        seen.add(top)
        for at, value in walk(config.parser.get(top), top):
            if not _may_be_made(config, at, value):
                return at
            if isinstance(value, str):
                waiting += references(value)
    return None


def _may_be_made(config: Config, at: str, value: Any) -> bool:
    if ConfigComponent.is_instantiable(value):
        target = _target(config, at, value)
        is_made = value.get("_mode_", "default") in (
            "default",
            "callable",
        )  # the third one starts a debugger
        return (
            is_made
            and is_plain(target)
            and is_trusted_target(target)
            and _is_part(target)
            and not _fetches(value)
        )
    if not ConfigExpression.is_expression(value) or ConfigExpression.is_import_statement(value):
        return True
    try:
        tree = parse(value)
    except SyntaxError:
        return False
    return isinstance(tree, ast.Expression) and _is_plain_python(tree.body)


def _is_part(target: str) -> bool:
    """Whether a target is a network, transform or inferer, by where it was defined and not by what
    it is called.
    """
    from monai.inferers import Inferer
    from monai.transforms import Transform
    from torch.nn import Module

    try:
        found = pydoc.locate(target)
    except pydoc.ErrorDuringImport:
        return False
    return (
        inspect.isclass(found)
        and issubclass(found, (Inferer, Module, Transform))
        and found.__module__.startswith(_MADE)
    )


def _fetches(value: dict[str, Any]) -> bool:
    """Whether an argument could have something loaded from a disk or the network."""
    return any(
        _FETCHING.search(str(name)) for name in value if name not in ConfigComponent.non_arg_keys
    )


def _is_plain_python(node: ast.AST) -> bool:
    """Constants, ids, lists, arithmetic, and of PyTorch devices, types and layers."""
    if isinstance(node, (ast.Attribute, ast.Name)):
        name = ast.unparse(node)
        return name in ("str", "int", "float", "len") or bool(_IN_TORCH.fullmatch(name))
    if (
        isinstance(node, ast.Subscript)
        and isinstance(node.value, ast.Name)
        and node.value.id == "__local_refs"
    ):
        return True
    plain = (
        *(ast.Constant, ast.List, ast.Tuple, ast.Dict, ast.Subscript, ast.Slice, ast.IfExp),
        *(ast.Call, ast.keyword, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.operator),
        *(ast.unaryop, ast.boolop, ast.cmpop, ast.Load),
    )
    if isinstance(node, (ast.Pow, ast.LShift)) or not isinstance(node, plain):
        return False
    return all(_is_plain_python(inner) for inner in ast.iter_child_nodes(node))
