"""`python:3.11-slim` without a registry of images: Debian's Python on a system of debootstrap.

The Dockerfile is then built and run for real by buildah, in a store of its own.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

BASE_IMAGE = "docker.io/library/python:3.11-slim"
DEBIAN = "bookworm"
PACKAGES = "python3,python3-venv,python3-pip,ca-certificates"
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
STEP_SECONDS = 400


class BuildFailed(RuntimeError):
    """A step of the build ended badly; the message is the end of its output."""


def missing() -> str | None:
    """Why an image cannot be built here; None when it can."""
    if os.geteuid() != 0:
        return "building the image without Docker needs root (for chroot)"
    absent = [tool for tool in ("buildah", "debootstrap") if shutil.which(tool) is None]
    return f"not installed: {', '.join(absent)}" if absent else None


class Images:
    """buildah with its own store; the base is made once and kept in the cache folder."""

    def __init__(self, cache: Path) -> None:
        self._cache = cache
        self._store = cache / "images"
        self._run_folder = Path(tempfile.mkdtemp(prefix="stringx-buildah-"))
        self._store.mkdir(parents=True, exist_ok=True)

    def buildah(self, *arguments: str, seconds: float = STEP_SECONDS) -> str:
        """Run a buildah command in this store and give its standard output."""
        return run(self.command(*arguments), seconds=seconds)

    def command(self, *arguments: str) -> list[str]:
        """The command line of a buildah command in this store."""
        return ["buildah", f"--root={self._store}", f"--runroot={self._run_folder}", *arguments]

    def provide_base(self) -> None:
        """Make BASE_IMAGE, where this store does not have it yet."""
        if BASE_IMAGE in self.buildah("images", "--format", "{{.Name}}:{{.Tag}}").split():
            return
        container = self.buildah("from", "--pull-never", "scratch").strip()
        try:
            self.buildah("add", container, str(self._system()), "/")
            for setting in ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
                self.buildah("config", "--env", f"{setting}={CERTIFICATES}", container)
            self.buildah("commit", "--format", "docker", container, BASE_IMAGE)
        finally:
            self.buildah("rm", container)

    def build(self, context: Path, tag: str) -> None:
        """Build the Dockerfile of a folder, with the network of this machine."""
        self.buildah(
            "bud",
            *("--isolation", "chroot", "--network", "host", "--pull-never"),
            *("--format", "docker", "--layers", "--tag", tag, str(context)),
        )

    def close(self) -> None:
        """Remove what is not worth keeping; the store stays."""
        shutil.rmtree(self._run_folder, ignore_errors=True)

    def _system(self) -> Path:
        archive = self._cache / f"{DEBIAN}-python.tar"
        if archive.exists():
            return archive
        with tempfile.TemporaryDirectory(dir=self._cache) as name:
            root = Path(name) / "root"
            run(["debootstrap", "--variant=minbase", f"--include={PACKAGES}", DEBIAN, str(root)])
            _make_like_the_official_image(root)
            partial = Path(name) / "system.tar"
            run(["tar", "-C", str(root), "-cf", str(partial), "."])
            partial.rename(archive)
        return archive


def _make_like_the_official_image(root: Path) -> None:
    """`python` in /usr/local/bin, free to install packages, trusting this machine's CAs."""
    for marker in root.glob("usr/lib/python3*/EXTERNALLY-MANAGED"):
        marker.unlink()
    for name, target in {"python": "python3", "python3": "python3", "pip": "pip3"}.items():
        (root / "usr/local/bin" / name).symlink_to(f"/usr/bin/{target}")
    shutil.copy(CERTIFICATES, root / CERTIFICATES.removeprefix("/"))
    shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
    for waste in (*root.glob("var/cache/apt/archives/*.deb"), *root.glob("var/lib/apt/lists/*_*")):
        waste.unlink()


def run(command: Sequence[str], *, seconds: float = STEP_SECONDS) -> str:
    """Run a command to its end; gives its standard output, raises BuildFailed."""
    done = subprocess.run(
        list(command),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    if done.returncode:
        end = "\n".join((done.stdout + done.stderr).splitlines()[-25:])
        raise BuildFailed(f"{' '.join(command[:4])} … ended with {done.returncode}:\n{end}")
    return done.stdout
