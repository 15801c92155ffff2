"""The values that a config's own text decides: paths, numbers, lists of files; nothing is made to find them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from monai.bundle import ConfigParser
from monai.bundle.config_item import ConfigComponent, ConfigExpression

from monai_ich.bundle_check.config import Config, walk
from monai_ich.bundle_check.expressions import parse, references
from monai_ich.bundle_check.nearest import typed
from monai_ich.bundle_check.usage import run_through
from monai_ich.core.errors import BundleError

HARMLESS = ("str", "int", "float", "len", "range", "list", "sorted", "join", "glob", "basename", "dirname")


class Undecided(Exception):
    """The value is known only once something was made or run."""


def value_of(config: Config, at: str) -> Any:
    """What an id comes to.

    Raises:
        Undecided: where its text does not decide it.
        Exception: what its expression raises.
    """
    needs = _needs(config, at)
    parts = [value for inner in needs for _, value in walk(config.parser.get(inner), inner)]
    is_made = any(ConfigComponent.is_instantiable(value) or not _is_harmless(value) for value in parts)
    if is_made or any(inner not in config.parser for inner in needs):
        raise Undecided(at)
    tops = ("imports", *(i.split("::")[0] for i in needs))
    try:
        return ConfigParser({i: config.parser.get(i) for i in tops}).get_parsed_content(at)
    except RuntimeError as error:
        raise error.__cause__ or error from None


def check_values(config: Config) -> Iterator[BundleError]:
    """``MISSING_VALUE`` where an expression works on null, ``BAD_EXPRESSION`` where it cannot be worked out."""
    for at, value in run_through(config).items():
        if not ConfigExpression.is_expression(value) or at.split("::")[0] in config.stages:
            continue
        try:
            value_of(config, at)
        except (Undecided, SyntaxError):
            continue
        except Exception as error:  # whatever an expression raises
            empty = [typed(i) for i in sorted(_needs(config, at)) if config.parser.get(i, 0) is None]
            if empty:
                yield BundleError("MISSING_VALUE", f"{typed(at)}: {empty[0]} has no value, give --{empty[0]}.")
            else:
                yield BundleError("BAD_EXPRESSION", f"{typed(at)}: {value[:80]} cannot be worked out: {error}.")


def _needs(config: Config, at: str) -> set[str]:
    """An id and all that it refers to, over any number of steps."""
    waiting, seen = [at], set[str]()
    while waiting:
        inner = waiting.pop()
        if inner not in seen:
            seen.add(inner)
            waiting += references(config.parser.get(inner))
    return seen


def _is_harmless(value: Any) -> bool:
    """Whether nothing but `HARMLESS` is called in an expression."""
    if not ConfigExpression.is_expression(value) or ConfigExpression.is_import_statement(value):
        return True
    calls = [node.func for node in ast.walk(parse(value)) if isinstance(node, ast.Call)]
    return all(getattr(f, "id", getattr(f, "attr", "")) in HARMLESS for f in calls)
