"""deploy/compose.yaml: valid, closed to other machines, free of secrets, and whole."""

import json
import re
from typing import Any

import compose_spec
import pytest
import yaml

from quality import settings
from quality.tasks.events import EVENTS, example
from quality.tasks.plan import read_plan
from quality.tasks.registry import registered
from quality.tasks.settings import ActionSettings, TaskSettings
from tests.brokers.apache_kafka import kafka_version
from tests.conftest import PROJECT

DEPLOY = PROJECT / "deploy"
OURS = {"migrate", "api", "consumer"}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return document


@pytest.fixture(scope="module")
def services(compose: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = compose["services"]
    return found


def test_it_is_a_compose_file(compose: dict[str, Any]) -> None:
    # As JSON, with values for variables: this reader knows neither YAML's merge keys nor those.
    text = re.sub(r"\$\{\w+:\?[^}]*\}", "value", json.dumps(compose))
    parsed = compose_spec.PyCompose.from_json(re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text))
    assert set(parsed.service_names()) == {
        *("kafka", "postgres", "prometheus", "grafana"),
        *OURS,
    }


def test_only_this_machine_reaches_it(services: dict[str, dict[str, Any]]) -> None:
    published = [port for service in services.values() for port in service.get("ports", [])]
    assert len(published) >= 5
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_images_are_pinned(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        tag = service["image"].rsplit(":", 1)[-1].rstrip("}")
        assert tag != "latest" and re.fullmatch(r"v?\d[\d.]*|local", tag), name
    assert services["kafka"]["image"].endswith(f":{kafka_version()}")


def test_secrets_have_no_default_and_are_in_the_example(compose: dict[str, Any]) -> None:
    text = (DEPLOY / "compose.yaml").read_text()
    required = set(re.findall(r"\$\{(\w+):\?", text))
    assert required == {
        *("STRINGX_API_TOKEN", "STRINGX_WORKER_TOKEN"),
        *("STRINGX_DATABASE_PASSWORD", "GRAFANA_ADMIN_PASSWORD"),
    }
    example = (DEPLOY / ".env.example").read_text()
    assert set(re.findall(r"^(\w+)=$", example, re.MULTILINE)) == required
    for name in re.findall(r"\$\{(\w+):-", text):
        assert not re.search(r"TOKEN|PASSWORD|SECRET", name)
    for service in compose["services"].values():
        for name, value in (service.get("environment") or {}).items():
            if re.search(r"TOKEN|PASSWORD|SECRET|DATABASE_URL", name) and value is not None:
                assert re.search(r"\$\{\w+:\?", value), name


def test_the_operators_token_is_the_apis_alone(compose: dict[str, Any]) -> None:
    holders = [name for name, one in compose["services"].items() if "STRINGX_API_TOKEN" in str(one)]
    assert holders == ["api"]
    assert "STRINGX_WORKER_TOKEN" in compose["services"]["consumer"]["environment"]
    [secret] = compose["services"]["prometheus"]["secrets"]
    assert compose["secrets"][secret] == {"environment": "STRINGX_WORKER_TOKEN"}
    scraped = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
    files = [one["authorization"]["credentials_file"] for one in scraped["scrape_configs"][:1]]
    assert files == [f"/run/secrets/{secret}"]


def test_each_service_waits_for_what_it_needs(services: dict[str, dict[str, Any]]) -> None:
    def conditions(name: str) -> dict[str, str]:
        needs = services[name].get("depends_on", {})
        return {other: need["condition"] for other, need in needs.items()}

    assert conditions("migrate") == {"postgres": "service_healthy"}
    assert conditions("api")["migrate"] == "service_completed_successfully"
    assert conditions("consumer") == {"api": "service_healthy", "kafka": "service_healthy"}
    for service in services.values():
        for other, need in service.get("depends_on", {}).items():
            if need["condition"] == "service_healthy" and other not in OURS:
                assert services[other]["healthcheck"]["test"]


def test_ours_run_without_privileges(services: dict[str, dict[str, Any]]) -> None:
    for name in OURS:
        assert services[name]["read_only"] is True
        assert services[name]["cap_drop"] == ["ALL"]
        assert "no-new-privileges:true" in services[name]["security_opt"]


def test_every_file_and_volume_that_is_mounted_exists(compose: dict[str, Any]) -> None:
    mounts = [
        mount.split(":")[0]
        for service in compose["services"].values()
        for mount in service.get("volumes", [])
    ]
    assert mounts
    for source in mounts:
        if source.startswith("."):
            assert (DEPLOY / source).is_dir(), source
        else:
            assert source in compose["volumes"]


def test_our_settings_are_ones_that_we_read(
    services: dict[str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    known = {
        f"{kind.model_config['env_prefix']}{field}".upper()
        for kind in (
            *(settings.KafkaSettings, settings.ClientSettings),
            *(settings.ApiSettings, settings.ConsumerSettings),
            *(ActionSettings, TaskSettings),
        )
        for field in kind.model_fields
    }
    profile = (PROJECT / "stringx" / "profiles.yml").read_text()
    known |= set(re.findall(r"env_var\(\s*'(\w+)'", profile)) | {"STRINGX_HEALTH_URL"}
    actions = "".join(file.read_text() for file in (DEPLOY / "actions").glob("*.conf"))
    known |= set(re.findall(r"\$\{(\w+)\}", actions))
    for name in OURS:
        assert set(services[name]["environment"]) <= known

    for name, value in services["api"]["environment"].items():
        if value is not None:
            monkeypatch.setenv(name, re.sub(r"\$\{\w+:\?[^}]*\}", "a-secret-of-the-test", value))
    assert settings.load(settings.ApiSettings).api_token is not None
    assert settings.load(settings.KafkaSettings).bootstrap_servers == "kafka:19092"


def test_t10_the_actions_that_come_along_are_where_the_api_looks_and_valid(
    services: dict[str, dict[str, Any]],
) -> None:
    api = services["api"]
    assert f"./actions:{api['environment']['STRINGX_ACTIONS_DIR']}:ro" in api["volumes"]
    files = sorted((DEPLOY / "actions").iterdir())
    assert files
    given = {name: "https://hooks.example.org/x" for name in api["environment"] if "_URL" in name}
    for file in files:
        for event in EVENTS:
            plan = read_plan(file, registered(None), {**given, **example(event)})
            assert plan.steps and not plan.warnings
