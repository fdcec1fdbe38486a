"""The member scripts: every module in this folder that defines a SPEC."""

import importlib
import pkgutil

import members
from members.common.errors import InputError
from members.training.spec import MemberSpec


def list_specs() -> dict[str, MemberSpec]:
    """Name -> spec of every member script, sorted by name."""
    names = [module.name for module in pkgutil.iter_modules(members.__path__) if not module.ispkg]
    modules = {name: importlib.import_module(f"members.{name}") for name in sorted(names)}
    return {name: module.SPEC for name, module in modules.items() if hasattr(module, "SPEC")}


def find_spec(name: str) -> MemberSpec:
    """The spec of one member script.

    Raises:
        InputError: there is no such script.
    """
    specs = list_specs()
    if name not in specs:
        raise InputError(f"{name}: no such member; there are {', '.join(specs)}, or add members/{name}.py")
    return specs[name]
