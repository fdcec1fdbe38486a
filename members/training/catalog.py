"""The member scripts: every file in `members/`, each named as its member."""

import importlib
import pkgutil

import members
from members.common.errors import InputError
from members.training.spec import MemberSpec, validate_spec


def list_names() -> list[str]:
    """List the names of all member scripts, sorted."""
    return sorted(module.name for module in pkgutil.iter_modules(members.__path__) if not module.ispkg)


def list_specs() -> dict[str, MemberSpec]:
    """Map the name of every member script to its spec, sorted by name."""
    return {name: find_spec(name) for name in list_names()}


def find_spec(name: str) -> MemberSpec:
    """Load the spec of one member script and name it as the script's file.

    Raises:
        InputError: there is no such script, it has no spec, or the spec has another name.
    """
    if name not in list_names():
        raise InputError(f"{name}: no such member; there are {', '.join(list_names())}, or add members/{name}.py")
    spec = getattr(importlib.import_module(f"members.{name}"), "SPEC", None)
    if not isinstance(spec, MemberSpec):
        raise InputError(f"members/{name}.py: a member script has SPEC = MemberSpec(...), this one has none; add it")
    if spec.name not in ("", name):
        raise InputError(
            f"members/{name}.py: its SPEC is named {spec.name}, but a member is named as its file; leave name out"
        )
    return validate_spec(spec.model_dump() | {"name": name}, source=f"members/{name}.py")
