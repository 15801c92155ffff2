"""What an expression comes to where it consists of nothing but arithmetic, lists and paths; nothing
else is evaluated.

A bundle is somebody's code, and a check must not run it, as Python's own ``eval`` would. What is
not known here is `Undecided`, and so is what would grow beyond bounds.
"""

from __future__ import annotations

import ast
import glob
import operator
import os.path
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

MOST = 100_000  # items of a list, characters of a text
_LARGEST = 10**18
_OPERATORS: Mapping[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
    ast.In: lambda a, b: a in b,
    ast.NotIn: lambda a, b: a not in b,
}


class Undecided(Exception):
    """The value is known only once something was made or run."""


def evaluate(node: ast.AST, look_up: Callable[[str], Any]) -> Any:
    """What an expression comes to.

    Args:
        node: from `monai_ich.bundle_check.expressions.parse`.
        look_up: gives the value of an id.

    Raises:
        Undecided: where it holds anything but constants, ids, arithmetic, lists and a few functions
            of paths.
        Exception: what Python raises, for example at text plus a number.
    """

    def inner(part: ast.AST) -> Any:
        return evaluate(part, look_up)

    match node:
        case ast.Expression(body=body):
            return inner(body)
        case ast.Constant(value=value):
            return value
        case ast.List(elts=parts):
            return [inner(part) for part in parts]
        case ast.Tuple(elts=parts):
            return tuple(inner(part) for part in parts)
        case ast.Dict(keys=keys, values=values) if all(keys):
            return {
                inner(key): inner(value)
                for key, value in zip(keys, values, strict=True)
                if key is not None
            }
        case ast.Subscript(value=ast.Name(id="__local_refs"), slice=ast.Constant(value=str(to))):
            return look_up(to)
        case ast.Subscript(value=whole, slice=at):
            return _item(inner(whole), at, inner)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            return _bounded(op, inner(left), inner(right))
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _OPERATORS:
            return _OPERATORS[type(op)](inner(left), inner(right))
        case ast.BoolOp(op=op, values=values):
            return _either(values, inner, stop_at=isinstance(op, ast.Or))
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return not inner(operand)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -inner(operand)
        case ast.IfExp(test=test, body=body, orelse=other):
            return inner(body if inner(test) else other)
        case ast.Call(func=function, args=arguments, keywords=[]):
            return _call(ast.unparse(function), [inner(argument) for argument in arguments])
    raise Undecided(type(node).__name__)


def _either(values: list[ast.expr], inner: Callable[[ast.AST], Any], *, stop_at: bool) -> Any:
    found = None
    for value in values:
        found = inner(value)
        if bool(found) is stop_at:
            break
    return found


def _item(whole: Any, at: ast.AST, inner: Callable[[ast.AST], Any]) -> Any:
    if not isinstance(whole, (list, tuple, dict, str)):
        raise Undecided("an item of something else")
    if isinstance(at, ast.Slice):
        ends = (at.lower, at.upper, at.step)
        lower, upper, step = (None if end is None else inner(end) for end in ends)
        return whole[lower:upper:step]
    return whole[inner(at)]


def _bounded(op: ast.operator, left: Any, right: Any) -> Any:
    """Arithmetic that cannot fill the memory: one text times a number can."""
    sizes = [len(side) for side in (left, right) if isinstance(side, (str, bytes, list, tuple))]
    numbers = [abs(side) for side in (left, right) if isinstance(side, (int, float))]
    times = max(numbers, default=1) if isinstance(op, ast.Mult) else 1
    if sum(sizes) * times > MOST or max(numbers, default=0) > _LARGEST:
        raise Undecided("too large")
    return _OPERATORS[type(op)](left, right)


def _call(name: str, arguments: list[Any]) -> Any:
    functions: Mapping[str, Callable[..., Any]] = {
        "str": _text,
        "int": int,
        "float": float,
        "len": len,
        "range": _range,
        "list": list,
        "sorted": sorted,
        "os.path.join": os.path.join,
        "os.path.basename": os.path.basename,
        "os.path.dirname": os.path.dirname,
        "glob.glob": _files,
    }
    if name not in functions:
        raise Undecided(name)
    return functions[name](*arguments)


def _text(value: Any) -> str:
    if not isinstance(value, (str, int, float, bool, type(None))):
        raise Undecided("text of something that may be large")
    return str(value)


def _range(*ends: int) -> range:
    if len(found := range(*ends)) > MOST:
        raise Undecided("too large")
    return found


def _files(pattern: str) -> list[str]:
    folder, name = Path(pattern).parent, Path(pattern).name
    if glob.has_magic(str(folder)):  # could walk a whole disk
        raise Undecided("files of many folders")
    return [str(path) for path in folder.glob(name) if not path.name.startswith(".")]
