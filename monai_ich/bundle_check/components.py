"""Each ``_target_``'s arguments beside its signature, without making it."""

from __future__ import annotations

import inspect
import pydoc
from collections.abc import Iterator, Mapping
from typing import Any

from monai.bundle.config_item import ConfigComponent

from monai_ich.bundle_check.config import Config, is_plain, walk
from monai_ich.bundle_check.nearest import nearest, typed
from monai_ich.bundle_check.packages import is_trusted_target
from monai_ich.core.errors import BundleError

NUMBERS = (int, float, bool, "int", "float", "bool")


def check_components(config: Config, *, trust: bool) -> Iterator[BundleError]:
    """``UNKNOWN_TARGET``, ``UNKNOWN_ARGUMENT``, ``MISSING_ARGUMENT``, ``WRONG_TYPE``.

    Args:
        config: its macros replaced.
        trust: whether targets of others are imported, too.
    """
    for at, value in walk(config.parser.get()):
        if not ConfigComponent.is_instantiable(value):
            continue
        component = ConfigComponent(value, at, config.parser.locator)
        target = component.resolve_module_name()
        if not is_plain(target) or component.get_config().get("_disabled_") is True:
            continue
        if not (trust or is_trusted_target(target)):
            continue  # said as UNTRUSTED_CODE
        found = _locate(target)
        if found is None:
            hint = nearest(
                value["_target_"].rpartition(".")[2], _siblings(config, value["_target_"])
            )
            yield BundleError(
                "UNKNOWN_TARGET", f"{typed(at)}: there is no {value['_target_']}{hint}"
            )
        elif callable(found):
            yield from _check_arguments(config, at, found, value)


def _locate(target: str) -> Any:
    try:
        return pydoc.locate(target)
    except pydoc.ErrorDuringImport:
        return None


def _siblings(config: Config, target: str) -> list[str]:
    """What stands where an unknown target was looked for."""
    module, _, _ = target.rpartition(".")
    if module:
        found = _locate(module)
        return [] if found is None else dir(found)
    config.parser.locator.get_component_module_name("")  # fills the table
    return list(config.parser.locator._components_table or ())


def _check_arguments(
    config: Config, at: str, found: Any, value: Mapping[str, Any]
) -> Iterator[BundleError]:
    name = getattr(found, "__name__", str(found))
    try:
        takes = inspect.signature(found).parameters
    except (TypeError, ValueError):  # written in C
        return
    kinds = inspect.Parameter
    named = {
        n: p
        for n, p in takes.items()
        if p.kind in (kinds.POSITIONAL_OR_KEYWORD, kinds.KEYWORD_ONLY)
    }
    open_ended = any(p.kind == kinds.VAR_KEYWORD for p in takes.values())
    given = {n: v for n, v in value.items() if n not in ConfigComponent.non_arg_keys}
    for argument in sorted(set(given) - set(named)):
        if not open_ended:
            hint = nearest(argument, named)
            yield BundleError(
                "UNKNOWN_ARGUMENT", f"{typed(at)}: {name} takes no argument {argument}{hint}"
            )
    if value.get("_mode_", "default") != "callable":
        for argument, parameter in named.items():
            if parameter.default is kinds.empty and argument not in given:
                yield BundleError(
                    "MISSING_ARGUMENT", f"{typed(at)}: {name} needs the argument {argument}."
                )
    for argument in sorted(set(given) & set(named)):
        literal = config.literal(given[argument])
        if is_plain(literal) and _wants_number(named[argument]):
            message = (
                f"{typed(at)}#{argument}: {name} wants a number or true or false, found "
                f"{literal!r}."
            )
            yield BundleError("WRONG_TYPE", message)


def _wants_number(parameter: inspect.Parameter) -> bool:
    if parameter.annotation is not inspect.Parameter.empty:
        return parameter.annotation in NUMBERS
    return isinstance(parameter.default, (int, float))
