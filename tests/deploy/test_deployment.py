"""What an operator deploys with agrees with the code: Dockerfile, bake and compose file, Hub listing."""

import importlib.util
import json
import re
import socket
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import pytest
import yaml
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from ltx2_api.job import JobInput
from ltx2_worker import __version__
from ltx2_worker.catalog.files import in_sets, manifest
from ltx2_worker.plan import make_plan
from ltx2_worker.settings import Settings
from ltx2_worker.storage.destination import operators_destination
from ltx2_worker.workflow import require_installed
from tools import hub_listing

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
HUB = json.loads((ROOT / ".runpod/hub.json").read_text())
TESTS = json.loads((ROOT / ".runpod/tests.json").read_text())


def load_script(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", alias_generator=to_camel)


class Option(Strict):
    label: str = Field(min_length=1)
    value: str


class Input(Strict):
    name: str
    type: Literal["string", "number", "boolean", "huggingface"]
    description: str = Field(min_length=10)
    default: str | float | bool | None = None
    options: list[Option] | None = None
    min: float | None = None
    max: float | None = None
    true_value: str | None = None
    false_value: str | None = None
    required: bool | None = None
    advanced: bool = False


class Env(Strict):
    key: str = Field(pattern=r"^[A-Z][A-Z0-9_]*$")
    input: Input | None = None
    value: str | None = None


class Preset(Strict):
    name: str
    defaults: dict[str, str | float | bool]


class HubConfig(Strict):
    runs_on: Literal["GPU"]
    container_disk_in_gb: int = Field(gt=0)
    gpu_ids: str = Field(pattern=r"^[A-Z0-9_]+(,[A-Z0-9_]+)*$")
    gpu_count: Literal[1]
    allowed_cuda_versions: list[str]
    presets: list[Preset]
    env: list[Env]


class HubListing(Strict):
    """Source: RunPod's documentation, "Hub publishing guide"."""

    title: str
    description: str
    type: Literal["serverless"]
    category: Literal["audio", "embedding", "language", "video", "image"]
    icon_url: str | None = None
    config: HubConfig


class HubTest(Strict):
    name: str
    input: dict[str, Any]
    timeout: int = Field(gt=1000, description="milliseconds")


class HubTestConfig(Strict):
    gpu_type_id: str
    gpu_count: Literal[1]
    allowed_cuda_versions: list[str]
    env: list[Env]


class HubTests(Strict):
    tests: list[HubTest] = Field(min_length=1)
    config: HubTestConfig


def default_model_set() -> list[str]:
    found = re.search(r'^ARG MODEL_SET="(.*)"$', DOCKERFILE, re.MULTILINE)
    assert found is not None
    return found[1].split()


def test_the_hub_listing_follows_the_hubs_schema() -> None:
    assert HubListing.model_validate(HUB).model_dump(mode="json", by_alias=True, exclude_unset=True) == HUB
    assert HubTests.model_validate(TESTS).model_dump(mode="json", by_alias=True, exclude_unset=True) == TESTS


def test_the_hub_listing_offers_every_setting_with_its_meaning_and_default() -> None:
    assert HUB["config"]["env"] == hub_listing.env_inputs(), "run: python -m tools.reference"
    assert set(Settings.model_fields) > hub_listing.IMAGE_ONLY | hub_listing.COMMON


@pytest.mark.parametrize("entry", HUB["config"]["env"], ids=lambda entry: entry["key"])
def test_what_the_hub_may_set_is_accepted(entry: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    shown = entry["input"]
    monkeypatch.delenv(entry["key"], raising=False)
    untouched = Settings()
    # A field of the form that is left as it is, or emptied, changes nothing.
    default = shown.get("default", "")
    if shown["type"] == "boolean":
        default = shown["trueValue"] if default else shown["falseValue"]
    for value in ("", str(default)):
        monkeypatch.setenv(entry["key"], value)
        assert Settings() == untouched
    choices = [option["value"] for option in shown.get("options", [])]
    if shown["type"] == "boolean":
        choices = [shown["trueValue"], shown["falseValue"]]
    seen = set()
    for value in choices:
        monkeypatch.setenv(entry["key"], value)
        seen.add(Settings().model_dump_json())
    assert len(seen) == len(choices)  # each means something else


def test_a_deployment_from_the_hub_asks_for_what_the_worker_does_not_start_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNPOD_ENDPOINT_ID", "endpoint")
    required = [entry["key"] for entry in HUB["config"]["env"] if entry["input"].get("required")]

    def settings() -> Settings:
        return Settings(volume_dir=tmp_path / "none", work_dir=tmp_path / "work")

    assert operators_destination(settings()) is None
    for key in required:
        monkeypatch.setenv(key, "https://bucket.example" if key.endswith("URL") else "x")
    assert operators_destination(settings()) is not None


def test_presets_and_test_settings_are_settings() -> None:
    known = {entry["key"] for entry in HUB["config"]["env"]}
    for preset in HUB["config"]["presets"]:
        assert preset["defaults"].keys() <= known
    assert {entry["key"] for entry in TESTS["config"]["env"]} <= known


@pytest.mark.parametrize("case", TESTS["tests"], ids=lambda case: case["name"])
def test_the_hubs_test_jobs_run_on_what_the_default_image_holds(case: dict[str, Any]) -> None:
    job, warnings = JobInput.parse(case["input"])
    assert not warnings
    baked = in_sets(manifest().values(), default_model_set())
    require_installed(make_plan(job, installed=baked.__contains__), baked.__contains__)


def test_the_disk_asked_for_holds_the_default_image() -> None:
    weights = sum(file.size for file in in_sets(manifest().values(), default_model_set()))
    assert HUB["config"]["containerDiskInGb"] * 1e9 > weights + 15e9


def test_the_image_can_hold_every_file_with_a_layer_once_and_copies_every_layer() -> None:
    fetched = re.findall(r"fetch ((?:[a-z0-9_]+|\s|\\\n)+)$", DOCKERFILE.replace("\\\n", " "), re.MULTILINE)
    ids = [word for line in fetched for word in line.split()]
    assert sorted(ids) == sorted(file.id for file in manifest().values() if file.layer)
    without = {file.id for file in manifest().values() if not file.layer}
    assert without == {
        file.id for file in manifest().values() if all(name.endswith("full-precision") for name in file.sets)
    }
    stages = re.findall(r"^FROM downloader AS (\S+)$", DOCKERFILE, re.MULTILINE)
    assert (
        re.findall(r"^COPY --from=(weights-\S+) /weights/ /opt/models/$", DOCKERFILE, re.MULTILINE) == stages
    )


def test_a_large_file_has_a_layer_of_its_own() -> None:
    fetched = re.findall(r"fetch (.*)$", DOCKERFILE.replace("\\\n", " "), re.MULTILINE)
    for line in fetched:
        large = [word for word in line.split() if word in manifest() and manifest()[word].size > 2e9]
        assert len(large) <= 1
        assert not large or len(line.split()) == 1


def test_weights_come_before_code_so_that_a_change_of_code_moves_none() -> None:
    last_weights = DOCKERFILE.rindex("COPY --from=weights-")
    assert last_weights < DOCKERFILE.index("COPY --from=engine /opt/engine/")
    assert last_weights < DOCKERFILE.index("COPY ltx2_worker/ ltx2_worker/")


def test_the_base_image_is_pinned_by_digest() -> None:
    assert re.search(r"^ARG BASE_IMAGE=\S+@sha256:[0-9a-f]{64}$", DOCKERFILE, re.MULTILINE)


def test_the_image_lays_things_where_the_settings_look() -> None:
    defaults = {name: field.default for name, field in Settings.model_fields.items()}
    assert f"COPY --from=comfyui /opt/comfyui/ {defaults['comfyui_dir']}/" in DOCKERFILE
    assert f"COPY --from=engine /opt/engine/ {defaults['engine_python'].parents[1]}/" in DOCKERFILE
    assert f"/weights/ {defaults['models_dirs'][0]}/" in DOCKERFILE


def test_the_builder_is_sent_what_the_dockerfile_copies() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert ignored[1] == "*"
    allowed = {line.removeprefix("!") for line in ignored if line.startswith("!")}
    for line in re.findall(r"^COPY (?!--from)(.*)$", DOCKERFILE.replace("\\\n", " "), re.MULTILINE):
        for source in line.split()[:-1]:
            if "$" in source:
                continue
            assert (ROOT / source).exists(), source
            assert any(source == name or source.startswith(f"{name}/") for name in allowed), source


def test_the_image_says_which_it_is() -> None:
    labels = dict(re.findall(r"org\.opencontainers\.image\.(\w+)=(\S+)", DOCKERFILE))
    assert labels["version"] == "${VERSION}"
    assert labels["revision"] == "${REVISION}"
    assert "ENV LTX2_REVISION=${REVISION}" in DOCKERFILE
    assert f"ARG VERSION={__version__}" in DOCKERFILE
    bake = (ROOT / "docker-bake.hcl").read_text()
    assert f'variable "VERSION" {{\n  default = "{__version__}"' in bake
    for name in ("VERSION", "REVISION", "CREATED"):
        assert re.search(rf"^    {name} += {name}$", bake, re.MULTILINE)
        assert f"ARG {name}" in DOCKERFILE
    assert re.findall(r'tags += \[tag\("(\w+)"\)\]', bake) == ["slim", "fast", "full"]


def test_the_image_carries_the_licences_of_what_is_in_it() -> None:
    assert "COPY LICENSE docs/licences.md licences/ /licences/" in DOCKERFILE
    assert "Gemma Terms of Use" in (ROOT / "licences/NOTICE-Gemma.txt").read_text()
    page = (ROOT / "docs/licences.md").read_text()
    for name in {file.licence.removesuffix(" (unconfirmed)") for file in manifest().values()}:
        assert name in page, name


def test_the_bake_file_states_the_weights_of_its_variants() -> None:
    bake = (ROOT / "docker-bake.hcl").read_text()
    for name, listed in re.findall(r'target "(slim|fast|full)" \{.*?MODEL_SET = "(.*?)"', bake, re.DOTALL):
        files = in_sets(manifest().values(), listed.split()) if listed else ()
        stated = re.search(rf"^#   {name} +about (\d+) GB +(.*)$", bake, re.MULTILINE)
        if files:
            assert stated is not None
            assert f"{sum(file.size for file in files) / 1e9:.1f} GB of weights" in stated[2]
            assert stated[2].startswith(", ".join(listed.split()) + ":")
    fast = re.search(r'target "fast".*?MODEL_SET = "(.*?)"', bake, re.DOTALL)
    assert fast is not None
    assert fast[1].split() == default_model_set()


def test_the_compose_file_sets_settings_and_pins_images() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    known = {hub_listing.env_name(name) for name in Settings.model_fields} | {"NVIDIA_REQUIRE_CUDA"}
    environment = compose["services"]["worker"]["environment"]
    assert environment.keys() <= known
    cuda = re.search(r"^ARG CUDA_VERSION=(\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert cuda is not None
    assert environment["NVIDIA_REQUIRE_CUDA"] == f"cuda>={cuda[1]}"
    for service in compose["services"].values():
        assert ":" in service["image"]
        assert not service["image"].endswith(":latest")
        for port in service.get("ports", ()):
            assert port.startswith("127.0.0.1:")


def test_the_health_check_finds_the_engine_by_its_command_line_and_asks_it(tmp_path: Path) -> None:
    health = load_script(ROOT / "docker/health.py")
    (tmp_path / "main.py").write_text(
        "import http.server, sys\n"
        "class Stats(http.server.BaseHTTPRequestHandler):\n"
        "    def do_GET(self):\n"
        "        self.send_response(200 if self.path == '/system_stats' else 404)\n"
        "        self.end_headers()\n"
        "server = http.server.HTTPServer(('127.0.0.1', int(sys.argv[2])), Stats)\n"
        "print('ready', flush=True)\n"
        "server.serve_forever()\n"
    )
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "main.py", "--port", str(port)]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as engine:
        assert engine.stdout is not None
        assert engine.stdout.readline() == b"ready\n"
        assert port in health.engine_ports()
        assert health.answers(port)
        engine.kill()
        engine.wait()
    assert port not in health.engine_ports()
    assert not health.answers(port)
