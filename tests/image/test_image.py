"""The Dockerfile is linted, built for real, and its API runs against a real PostgreSQL."""

import json
import os
import re
import secrets
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from embedded import ports
from embedded.postgres import EmbeddedPostgres
from tests.conftest import PROJECT, require, require_program
from tests.image.base import Images, missing

# The first build on a machine makes the base and fetches all packages.
pytestmark = pytest.mark.timeout(900)

TAG = "localhost/stringx:test"
START_SECONDS = 60


@pytest.fixture(scope="module")
def images() -> Iterator[Images]:
    """buildah with the built image in its store."""
    require("image", missing())
    cache = Path(os.environ.get("STRINGX_TEST_CACHE") or Path.home() / ".cache" / "stringx")
    opened = Images(cache)
    try:
        opened.provide_base()
        opened.build(PROJECT, TAG)
        yield opened
    finally:
        opened.close()


@pytest.fixture(scope="module")
def container(images: Images) -> Iterator[str]:
    """A container of the image, not running."""
    name = images.buildah("from", "--pull-never", TAG).strip()
    yield name
    images.buildah("rm", name)


def in_container(
    images: Images, container: str, *command: str, env: dict[str, str] | None = None
) -> list[str]:
    """The command line that runs a command inside the container, as the image's user."""
    variables = [f"--env={name}={value}" for name, value in (env or {}).items()]
    options = ("--isolation", "chroot", "--network", "host", *variables)
    return images.command("run", *options, container, "--", *command)


END = "the end of the output"


def output(images: Images, container: str, *command: str) -> str:
    """What a command inside the container says on both streams; it must end with 0.

    `buildah run` sometimes ends before it has copied what was said: then it is asked again.
    """
    said = '"$@"; code=$?; echo "$0"; exit $code'
    for _ in range(5):
        done = subprocess.run(
            in_container(images, container, "sh", "-c", said, END, *command),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        if done.stdout.rstrip().endswith(END):
            return done.stdout.rstrip().removesuffix(END).strip()
    raise AssertionError("buildah lost the output of five runs")


def test_hadolint_finds_nothing() -> None:
    done = subprocess.run(
        [require_program("hadolint"), str(PROJECT / "Dockerfile")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_declares_how_to_run_it(images: Images) -> None:
    config = json.loads(images.buildah("inspect", "--type", "image", TAG))["Docker"]["config"]
    assert config["User"] == "10001:10001"
    assert set(config["ExposedPorts"]) == {"5001/tcp", "8001/tcp"}
    assert config["Entrypoint"] == ["./start-service.sh"]
    assert config["Cmd"] == ["api"]
    assert "healthcheck.py" in config["Healthcheck"]["Test"]
    assert config["Labels"]["org.opencontainers.image.title"] == "StringX"


def test_it_runs_as_nobody_in_particular_and_cannot_change_itself(
    images: Images, container: str
) -> None:
    assert output(images, container, "id", "-u") == "10001"
    found = output(images, container, "find", "/opt", "-writable", "-not", "-type", "l")
    assert found == ""


def test_it_has_what_it_needs_and_nothing_of_the_tests(images: Images, container: str) -> None:
    assert set(output(images, container, "ls", "/opt/stringx").split()) == {
        *("api", "cli", "consumer", "quality", "stringx"),
        *("start-service.sh", "healthcheck.py"),
    }
    version = "from importlib.metadata import version; print(version('dbt-core'))"
    pinned = [
        line.removeprefix("dbt-core==").strip()
        for line in (PROJECT / "requirements.txt").read_text().splitlines()
        if line.startswith("dbt-core==")
    ]
    assert [output(images, container, "/opt/venv/bin/python", "-c", version)] == pinned
    import_all = "import dbt.cli.main, dbt.adapters.postgres, api.app, consumer, quality"
    output(images, container, "/opt/venv/bin/python", "-c", import_all)


def test_without_a_token_it_makes_the_first_one_and_lets_nobody_in_without(
    images: Images, container: str, new_database: Callable[[], str], tmp_path: Path
) -> None:
    port = ports.choose_free()
    environment = {"STRINGX_DATABASE_URL": new_database(), "STRINGX_API_PORT": str(port)}
    address, log = f"http://127.0.0.1:{port}", tmp_path / "api.log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            in_container(images, container, "./start-service.sh", "api", env=environment),
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        wait_until_ready(f"{address}/health/ready", process, log)
        tables = f"{address}/api/v1/tables"
        assert requests.get(tables, timeout=10).status_code == 401
        [token] = re.findall(r"sxt_\w+", log.read_text())
        headers = {"Authorization": f"Bearer {token}"}
        assert requests.get(tables, headers=headers, timeout=10).status_code == 200
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(40)


def test_the_api_serves_in_it_and_its_health_check_knows(
    images: Images, container: str, postgres: EmbeddedPostgres, tmp_path: Path
) -> None:
    token, port = secrets.token_urlsafe(24), ports.choose_free()
    address = f"http://127.0.0.1:{port}"
    environment = {
        "STRINGX_DATABASE_URL": postgres.url(),
        "STRINGX_API_TOKEN": token,
        "STRINGX_API_PORT": str(port),
    }
    probe = in_container(
        images,
        container,
        *("/opt/venv/bin/python", "healthcheck.py"),
        env={"STRINGX_HEALTH_URL": f"{address}/health/live"},
    )
    assert subprocess.run(probe, capture_output=True, timeout=60, check=False).returncode == 1

    log = tmp_path / "api.log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            in_container(images, container, "./start-service.sh", "api", env=environment),
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        wait_until_ready(f"{address}/health/ready", process, log)
        assert subprocess.run(probe, capture_output=True, timeout=60, check=False).returncode == 0
        assert requests.get(f"{address}/api/v1/tables", timeout=10).status_code == 401
        answer = requests.get(
            f"{address}/metrics", headers={"Authorization": f"Bearer {token}"}, timeout=10
        )
        assert answer.status_code == 200
        assert "stringx_build_info{" in answer.text
    finally:
        # buildah hands no signal on: end the whole session that it was started in.
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(40)
    assert token not in log.read_text()


def wait_until_ready(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the address answers 200; fails with the log when it does not."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if requests.get(address, timeout=2).ok:
                return
        except requests.ConnectionError:
            pass
        time.sleep(0.2)
    pytest.fail(f"{address} did not answer:\n{log.read_text()[-4000:]}")
