"""Where the program is: the one that was installed with this package, so that both are of one version."""

import os
import shutil
import sys
import sysconfig

NAME = "dbload"


def find_program() -> str:
    """The path of the program.

    `DBLOAD_BINARY` names another one. Otherwise it is looked for where installers put scripts: of this
    environment, of the user, beside a package that was installed with `pip install --target`; then on PATH.

    Raises:
        FileNotFoundError: it is in none of these places.
    """
    named = os.environ.get("DBLOAD_BINARY")
    if named:
        if _is_program(named):
            return os.path.abspath(named)
        raise FileNotFoundError(f"DBLOAD_BINARY names {named!r}, which is no program")
    for folder in _folders():
        path = os.path.join(folder, NAME)
        if _is_program(path):
            return path
    found = shutil.which(NAME)
    if found is not None:
        return os.path.abspath(found)
    raise FileNotFoundError(
        f"the program dbload is not there (looked in {', '.join(_folders())} and on PATH); "
        "it comes with the wheel: pip install --force-reinstall dbload"
    )


def _folders() -> list[str]:
    package = os.path.dirname(os.path.abspath(__file__))
    folders = [
        sysconfig.get_path("scripts"),
        os.path.dirname(sys.executable),
        sysconfig.get_path("scripts", scheme=f"{os.name}_user"),
        # pip install --target DIR has DIR/dbload and DIR/bin; --prefix has DIR/lib/pythonX/site-packages.
        os.path.join(os.path.dirname(package), "bin"),
        os.path.join(os.path.dirname(package), "..", "..", "..", "bin"),
    ]
    return [os.path.normpath(folder) for folder in dict.fromkeys(folders) if folder]


def _is_program(path: str) -> bool:
    return os.path.isfile(path) and os.access(path, os.X_OK)
