"""The member scripts: every file in `members/`, each named as its member, and scripts anywhere by their paths."""

import importlib
import importlib.util
import pkgutil
from pathlib import Path
from types import ModuleType

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

    Args:
        name: of a script in `members/`, or the path of one anywhere, such as ./my_unet.py.

    Raises:
        InputError: there is no such script, it has no spec, or the spec has another name.
    """
    if name.endswith(".py"):
        path = Path(name)
        return take_spec(path.stem, name, load_script(path))
    if name not in list_names():
        raise InputError(
            f"{name}: no such member; there are {', '.join(list_names())}, or give the path of a script, ./{name}.py"
        )
    return take_spec(name, f"members/{name}.py", importlib.import_module(f"members.{name}"))


def load_script(path: Path) -> ModuleType:
    """Run a member script that is not in `members/`.

    Raises:
        InputError: there is no such file, it fails, or it has the name of a member that there is.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; a member script has SPEC = MemberSpec(...)")
    if path.stem in list_names():
        raise InputError(f"{path}: named as members/{path.stem}.py; a run knows members by name, so rename one")
    found = importlib.util.spec_from_file_location(path.stem, path)
    if found is None or found.loader is None:
        raise InputError(f"{path}: no Python script; a member script has SPEC = MemberSpec(...)")
    script = importlib.util.module_from_spec(found)
    try:
        found.loader.exec_module(script)
    except Exception as error:
        raise InputError(
            f"{path}: fails with {type(error).__name__}: {' '.join(str(error).split())}; mend it"
        ) from None
    return script


def take_spec(name: str, source: str, script: ModuleType) -> MemberSpec:
    """Return the spec of a member script, named; `source` is what messages call the script.

    Raises:
        InputError: it has none, or one of another name.
    """
    spec = getattr(script, "SPEC", None)
    if not isinstance(spec, MemberSpec):
        raise InputError(f"{source}: a member script has SPEC = MemberSpec(...), this one has none; add it")
    if spec.name not in ("", name):
        raise InputError(f"{source}: its SPEC is named {spec.name}, but a member is named as its file; leave name out")
    return validate_spec(spec.model_dump() | {"name": name}, source=source)
