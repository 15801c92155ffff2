"""The values that a config's own text decides: paths, numbers, lists of files; nothing is made or
run to find them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from monai.bundle.config_item import ConfigComponent, ConfigExpression

from monai_ich.bundle_check.config import Config
from monai_ich.bundle_check.expressions import parse, references
from monai_ich.bundle_check.interpreter import Undecided, evaluate
from monai_ich.bundle_check.nearest import typed
from monai_ich.bundle_check.usage import run_through
from monai_ich.core.errors import BundleError

_DEEPEST = 50


def value_of(config: Config, at: str) -> Any:
    """What an id comes to.

    Raises:
        Undecided: where its text does not decide it.
        ValueError: where it is needed to find itself.
        Exception: what its expression raises.
    """
    known, waiting = dict[str, Any](), list[str]()

    def look_up(to: str) -> Any:
        if to in known:
            return known[to]
        if to in waiting:
            raise ValueError(f"{typed(to)} refers to itself")
        if to not in config.parser or len(waiting) > _DEEPEST:
            raise Undecided(to)
        waiting.append(to)
        known[to] = build(config.parser.get(to), 0)
        waiting.pop()
        return known[to]

    def build(value: Any, depth: int) -> Any:
        if ConfigComponent.is_instantiable(value) or depth > _DEEPEST:
            raise Undecided(at)
        if isinstance(value, dict):
            return {key: build(inner, depth + 1) for key, inner in value.items()}
        if isinstance(value, list):
            return [build(inner, depth + 1) for inner in value]
        if ConfigExpression.is_expression(value):
            if ConfigExpression.is_import_statement(value):
                raise Undecided(at)
            return evaluate(parse(value), look_up)
        return look_up(value[1:]) if isinstance(value, str) and value.startswith("@") else value

    return look_up(at)


def check_values(config: Config) -> Iterator[BundleError]:
    """``MISSING_VALUE`` where an expression works on null, ``BAD_EXPRESSION`` where it cannot be
    worked out.
    """
    for at, value in run_through(config).items():
        if not ConfigExpression.is_expression(value) or at.split("::")[0] in config.stages:
            continue
        try:
            value_of(config, at)
        except (Undecided, SyntaxError):
            continue
        except Exception as error:  # whatever an expression raises
            empty = [
                typed(i) for i in sorted(_needs(config, at)) if config.parser.get(i, 0) is None
            ]
            if empty:
                yield BundleError(
                    "MISSING_VALUE", f"{typed(at)}: {empty[0]} has no value, give --{empty[0]}."
                )
            else:
                yield BundleError(
                    "BAD_EXPRESSION", f"{typed(at)}: {value[:80]} cannot be worked out: {error}."
                )


def _needs(config: Config, at: str) -> set[str]:
    """An id and all that it refers to, over any number of steps."""
    waiting, seen = [at], set[str]()
    while waiting:
        inner = waiting.pop()
        if inner not in seen:
            seen.add(inner)
            waiting += references(config.parser.get(inner))
    return seen
