"""A bundle's config as MONAI puts it together from files and overrides, with what it would not say
on the way.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import yaml
from monai.bundle import ConfigParser, ReferenceResolver
from monai.bundle.config_item import ComponentLocator
from monai.bundle.utils import merge_kv

from monai_ich.bundle_check.nearest import nearest, typed
from monai_ich.core.errors import BundleError
from monai_ich.core.shipped import shipped

SUFFIXES = (".yaml", ".json")
STAGES = {"init_id": "initialize", "run_id": "run", "final_id": "finalize"}
_MOST_BYTES, _MOST_ITEMS, _DEEPEST, _LONGEST = 1 << 21, 50_000, 50, 2_000
OPTIONS = (
    *STAGES,
    "meta_file",
    "logging_file",
    "tracking",
    "workflow_type",
)  # of MONAI's run; they set no id


@dataclass(frozen=True, eq=False)
class Config:
    """A bundle's config.

    Args:
        root: the bundle's folder.
        files: in the order in which they are laid over each other.
        parser: MONAI's, with all of it, macros not yet replaced.
        added: ids that the first file does not have, to who gave them (a file's name, or an
            option).
        stages: ids that MONAI runs, in order.
        faults: found while putting it together.
    """

    root: Path
    files: tuple[Path, ...]
    parser: ConfigParser
    added: Mapping[str, str]
    stages: tuple[str, ...]
    faults: tuple[BundleError, ...]

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """Every id but those of the metadata."""
        return tuple(i for i, _ in walk(self.parser.get()) if not i.startswith("_meta_"))

    def texts(self) -> Iterator[tuple[str, str]]:
        """Id and value of everything that is text, metadata left out."""
        return (
            (i, v)
            for i, v in walk(self.parser.get())
            if isinstance(v, str) and not i.startswith("_meta_")
        )

    def literal(self, value: Any) -> Any:
        """What a reference leads to; an expression is given as it stands."""
        for _ in range(20):
            if not (isinstance(value, str) and value.startswith("@") and value[1:] in self.parser):
                break
            value = self.parser[value[1:]]
        return value


def walk(value: Any, at: str = "") -> Iterator[tuple[str, Any]]:
    """Id and value of everything in a config."""
    if at:
        yield at, value
    if isinstance(value, (dict, list)):
        for _, inner, item in ReferenceResolver.iter_subconfigs(at, value):
            yield from walk(item, inner)


def is_plain(value: Any) -> bool:
    """Whether a value is text that MONAI takes as it is."""
    return isinstance(value, str) and not value.startswith(("$", "@", "%"))


def find_config(root: Path, name: str) -> Path:
    """A config's file: one of the bundle, one of the toolkit's ``configs/``, or any file; its
    suffix may be left out.

    Raises:
        BundleError: ``CONFIG_NOT_FOUND``.
    """
    places = (Path(), root / "configs", shipped("configs"), shipped())
    for place in places:
        for suffix in ("", *SUFFIXES):
            path = place / f"{name}{suffix}"
            if path.is_file() and path.suffix in SUFFIXES:
                return path.resolve()
    known = [
        p.relative_to(place).with_suffix("").as_posix()
        for place in places[1:3]
        for p in place.rglob("*.yaml")
    ]
    hint = nearest(name.removeprefix("configs/").removesuffix(".yaml"), known)
    raise BundleError(
        "CONFIG_NOT_FOUND", f"{name} is no config of {root.name} or of the toolkit{hint}"
    )


def compose(root: Path, names: Sequence[str], overrides: Mapping[str, Any]) -> Config:
    """Lay configs over each other, then overrides, as MONAI does.

    Args:
        root: the bundle's folder.
        names: as for `find_config`.
        overrides: id (``a#b``) to value; `OPTIONS` among them are left to MONAI.

    Raises:
        BundleError: ``CONFIG_NOT_FOUND``, ``BAD_CONFIG``.
    """
    files = tuple(find_config(root, name) for name in names)
    parser = ConfigParser(config={})
    parser.locator = _locator()
    added, faults = dict[str, str](), list[BundleError]()

    def lay(pairs: Mapping[str, Any], source: str = "") -> None:
        for key, value in pairs.items():
            at, by = ReferenceResolver.normalize_id(key.removeprefix("+")), source or f"--{key}"
            if at not in parser and source != files[0].name:
                added[at] = by
            faults.extend(_lay(parser, key, at, value, source=by))

    for file in files:
        lay(load(file), file.name)
    metadata = root / "configs" / "metadata.json"
    if metadata.is_file():
        parser.read_meta(load(metadata))
    parser["bundle_root"] = str(root)
    lay({key: value for key, value in overrides.items() if key not in OPTIONS})
    stages = tuple(str(overrides.get(option, at)) for option, at in STAGES.items())
    return Config(root, files, parser, added, stages, tuple(faults))


@cache
def _locator() -> ComponentLocator:
    """MONAI's own classes by name; a second to find, the same for all configs."""
    return ComponentLocator()


def load(file: Path) -> dict[str, Any]:
    """A file's ids and values.

    Raises:
        BundleError: ``BAD_CONFIG``.
    """
    try:
        if file.stat().st_size > _MOST_BYTES:
            raise ValueError("it is larger than any config")
        content = ConfigParser.load_config_file(file)
    except (ValueError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())[:200]
        raise BundleError("BAD_CONFIG", f"{file.name} cannot be read: {reason}.") from error
    except (OSError, RecursionError, TypeError) as error:
        raise BundleError(
            "BAD_CONFIG", f"{file.name} cannot be read: it is nested too deeply, or locked."
        ) from error
    if not _is_bounded(content):
        raise BundleError(
            "BAD_CONFIG", f"{file.name} cannot be read: an alias or a text has no end."
        )
    if not isinstance(content, dict):
        raise BundleError(
            "BAD_CONFIG", f"{file.name} must hold ids and values, it holds something else."
        )
    return content


def _is_bounded(content: Any) -> bool:
    """Whether a config has an end: a YAML alias may hold itself, and ten that hold ten of each
    other are 10 billion.

    So has each name and text in it.
    """
    waiting, count = [(content, 0)], 0
    while waiting:
        value, depth = waiting.pop()
        count += 1
        names = value if isinstance(value, dict) else (value,)
        long = any(
            isinstance(name, str) and len(name) > _LONGEST for name in names
        )  # MONAI compares names by letters
        if long or count > _MOST_ITEMS or depth > _DEEPEST:
            return False
        if isinstance(value, (dict, list)):
            waiting += [
                (inner, depth + 1)
                for inner in (value.values() if isinstance(value, dict) else value)
            ]
    return True


def _lay(
    parser: ConfigParser, key: str, at: str, value: Any, *, source: str
) -> Iterator[BundleError]:
    """Set one id; yields why it was not, or should not have been."""
    parent = at.rpartition("::")[0]
    around = parser.get(parent)
    if not isinstance(around, (dict, list)):
        hint = nearest(parent, (i for i, _ in walk(parser.get())))
        yield BundleError("UNKNOWN_ID", f"{source}: {typed(parent)} is no part of the config{hint}")
    elif isinstance(around, list) and at not in parser:
        message = f"{source}: {typed(parent)} has the entries 0 to {len(around) - 1}, no other."
        yield BundleError("UNKNOWN_ID", message)
    else:
        if at in parser and not key.startswith("+"):
            yield from _compare(source, at, parser[at], value)
        try:
            merge_kv(parser, key, value)
        except ValueError:
            yield BundleError(
                "WRONG_TYPE", f"{source}: only a list or a table can be added to {typed(at)}."
            )


def _compare(source: str, at: str, old: Any, new: Any) -> Iterator[BundleError]:
    """Whether a literal takes the place of one of another kind."""
    kinds = {bool: "true or false", int: "a number", float: "a number", list: "a list", str: "text"}
    if (isinstance(old, str) and not is_plain(old)) or (isinstance(new, str) and not is_plain(new)):
        return
    was, becomes = kinds.get(type(old)), kinds.get(type(new))
    if was and becomes and was != becomes and not (was == "a list" and becomes == "a number"):
        yield BundleError(
            "WRONG_TYPE", f"{source}: {typed(at)} is {was} (now {str(old)[:60]}), found {new!r}."
        )
