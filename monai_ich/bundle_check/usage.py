"""What a config would do: which ids it runs through, and what was added to it that nothing
reads.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from monai.bundle import properties
from monai.bundle.config_item import ConfigComponent
from monai.utils import BundlePropertyConfig

from monai_ich.bundle_check.config import Config, walk
from monai_ich.bundle_check.expressions import references
from monai_ich.bundle_check.nearest import nearest, typed
from monai_ich.core.errors import BundleError

_Properties: TypeAlias = Mapping[str, Mapping[Any, Any]]

PROPERTIES: _Properties = {**properties.TrainProperties, **properties.InferProperties}
READ_BY_MONAI = ("imports", *(p[BundlePropertyConfig.ID] for p in PROPERTIES.values()))


def check_additions(config: Config) -> Iterator[BundleError]:
    """``UNKNOWN_ID`` for what later files and overrides add and nothing reads: MONAI takes it
    without a word.
    """
    read = {
        *READ_BY_MONAI,
        *config.stages,
        *references({k: v for k, v in config.parser.get().items() if k != "_meta_"}),
    }
    for at, source in config.added.items():
        above = ["::".join(at.split("::")[:n]) for n in range(1, at.count("::") + 2)]
        inside = any(
            ConfigComponent.is_instantiable(config.parser.get(i)) for i in above[:-1]
        )  # then an argument
        if not inside and read.isdisjoint(above) and not any(r.startswith(f"{at}::") for r in read):
            hint = nearest(at, set(config.ids) - {*config.added})
            yield BundleError(
                "UNKNOWN_ID", f"{source}: nothing in the config reads {typed(at)}{hint}"
            )


def run_through(config: Config) -> dict[str, Any]:
    """Id and value of everything that a run needs, whatever stands inside of it included."""
    waiting, seen = list(config.stages), dict[str, Any]()
    while waiting:
        at = waiting.pop()
        if at not in seen and at in config.parser:
            seen |= walk(config.parser[at], at)
            waiting += references(config.parser[at])
    return seen


def check_stages(config: Config) -> Iterator[BundleError]:
    """``MISSING_PROPERTY``: nothing to run, or an id that every workflow of this kind has."""
    _, run, _ = config.stages
    if run not in config.parser:
        message = (
            f"{config.root.name}: the config has no {run}, so there is nothing to "
            f"run{nearest(run, config.ids)}"
        )
        yield BundleError("MISSING_PROPERTY", message)
        return
    training, inference = properties.TrainProperties, properties.InferProperties
    wanted: _Properties = (
        training if "train" in config.parser else inference if "evaluator" in config.parser else {}
    )
    for name, known in wanted.items():
        at = known[BundlePropertyConfig.ID]
        if known["required"] and at not in config.parser:
            what = f"MONAI looks for {name} under {typed(at)}, which is not there"
            yield BundleError(
                "MISSING_PROPERTY", f"{config.root.name}: {what}{nearest(at, config.ids)}"
            )
