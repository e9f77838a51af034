#!/bin/sh
# Builds the Dockerfile for real, without a Docker engine and without a GPU, and makes a video with the image.
#
# The base is a Debian made here with debootstrap, the weights are the tiny ones, which arrive through the very
# download that fetches the real ones, from a local server that speaks the hub's protocol. Needs root, buildah and
# debootstrap (apt-get install buildah debootstrap), about 40 GB of disk, and `python3 -m local test` run once
# before, which makes the tiny weights. On 2 cores it takes some 15 minutes. `buildah rmi` frees the disk.
#
#   docker/build_test.sh [OUTPUT_FOLDER]
#
# LTX2_MODELS_DIRS       folders with the tiny weights, separated by ':'
# LTX2_ENGINE_NODES_DIR  the custom nodes that the tiny weights need
# PYTHON                 a Python with requirements/download.txt
# BUILDAH_OPTIONS        further options of `buildah build`, such as --volume for a proxy's certificate
set -eu

cd "$(dirname "$0")/.."
out="$(realpath "${1:-output}")"
python="${PYTHON:-python3}"
: "${LTX2_MODELS_DIRS:?set it to the folders with the tiny weights}"
: "${LTX2_ENGINE_NODES_DIR:?set it to the custom nodes of the tiny weights}"
base=localhost/ltx2-base
image=localhost/ltx2-worker:build-test
work="$(mktemp -d)"
container=

finish() {
    [ -z "${hub:-}" ] || kill "$hub" 2>/dev/null || true
    [ -z "$container" ] || buildah rm "$container" >/dev/null || true
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

free_port() {
    "$python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

say() { printf '\n== %s\n' "$*"; }

say "base image"
if ! buildah inspect --type image "$base" >/dev/null 2>&1; then
    mirror="$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | head -n 1)"
    debootstrap --variant=minbase bookworm "$work/base" "$mirror"
    # This machine's way to its packages is the base's too.
    cp -r /etc/apt/apt.conf.d /etc/apt/sources.list.d "$work/base/etc/apt/"
    base_container="$(buildah from scratch)"
    buildah add --quiet "$base_container" "$work/base" /
    buildah commit --quiet --rm "$base_container" "$base"
    rm -rf "$work/base"
fi

say "hub"
port="$(free_port)"
context="$work/context"
mkdir "$context"
tar -c --exclude='__pycache__' Dockerfile .dockerignore docker handler.py test_input.json requirements workflows \
    ltx2_api ltx2_worker | tar -x -C "$context"
models=
IFS=:
for folder in $LTX2_MODELS_DIRS; do models="$models --models $folder"; done
unset IFS
# shellcheck disable=SC2086 - a list of words
PYTHONPATH=. "$python" tests/models/local_hub.py $models \
    --list-file "$context/ltx2_worker/catalog/files.test.toml" --port "$port" &
hub=$!
for _ in $(seq 100); do
    [ ! -f "$context/ltx2_worker/catalog/files.test.toml" ] || break
    kill -0 "$hub"
    sleep 0.1
done

say "build"
# shellcheck disable=SC2086 - a list of words
buildah build --isolation chroot --layers --network host \
    --build-arg BASE_IMAGE="$base" \
    --build-arg MODEL_SET="fast pro camera control upscalers" \
    --build-arg MODELS_LIST=ltx2_worker/catalog/files.test.toml \
    --build-arg HF_ENDPOINT="http://127.0.0.1:$port" \
    ${BUILDAH_OPTIONS:-} --format docker --tag "$image" "$context"

say "what is in it"
container="$(buildah from "$image")"
inside() { buildah run --isolation chroot --network host "$container" -- "$@"; }
buildah inspect --type image --format '{{.Docker.Config.Entrypoint}} {{.Docker.Config.Cmd}} {{.Docker.Config.Healthcheck}}' "$image"
echo
inside sh -c 'du -sh /opt/* | sort -h'
inside sh -c '! command -v gcc cc make git curl pip pip3'
inside sh -c '! find / -xdev \( -path "*/.cache/pip" -o -path "/var/lib/apt/lists/*Packages*" -o -name "*.part" \) | grep .'
inside /opt/handler/bin/python -m ltx2_worker.download --list --set fast
inside /opt/handler/bin/python -c 'import sys, importlib.util as u; sys.exit(1 if u.find_spec("torch") else 0)'

say "one job, to an MP4"
mkdir -p "$out"
rm -f "$out"/*.mp4
buildah run --isolation chroot --network host \
    --volume "$(realpath "$LTX2_ENGINE_NODES_DIR"):/opt/nodes:ro" --volume "$out:/output" \
    --env LTX2_ENGINE_DEVICE=cpu --env LTX2_ENGINE_NODES_DIR=/opt/nodes --env LTX2_OUTPUT_DIR=/output \
    "$container" -- /usr/bin/tini -s -- /opt/handler/bin/python handler.py
"$python" - "$out" <<'CHECK'
import sys
from pathlib import Path

import av

found = sorted(Path(sys.argv[1]).rglob("*.mp4"))
assert len(found) == 1, f"one MP4 expected, found {found}"
with av.open(str(found[0])) as video:
    stream = video.streams.video[0]
    frames = sum(1 for _ in video.decode(stream))
print(f"{found[0].name}: {stream.width}x{stream.height}, {frames} frames, {found[0].stat().st_size} bytes")
CHECK
say "the local API, and SIGTERM"
api="$(free_port)"
buildah run --isolation chroot --network host \
    --volume "$(realpath "$LTX2_ENGINE_NODES_DIR"):/opt/nodes:ro" --volume "$out:/output" \
    --env LTX2_ENGINE_DEVICE=cpu --env LTX2_ENGINE_NODES_DIR=/opt/nodes --env LTX2_OUTPUT_DIR=/output \
    "$container" -- sh -c "echo \$\$ > /output/pid; exec /usr/bin/tini -s -- /opt/handler/bin/python handler.py \
    --rp_serve_api --rp_api_host 127.0.0.1 --rp_api_port $api" &
server=$!
"$python" - "$api" <<'ASK'
import json
import sys
import time
import urllib.error
import urllib.request

request = urllib.request.Request(
    f"http://127.0.0.1:{sys.argv[1]}/runsync",
    json.dumps({"input": {"prompt": "A lighthouse in a storm.", "dry_run": True}}).encode(),
    {"Content-Type": "application/json"},
)
until = time.monotonic() + 120
while True:
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            reply = json.load(response)
        break
    except urllib.error.URLError:
        if time.monotonic() > until:
            raise
        time.sleep(0.5)
print(json.dumps(reply)[:300])
assert reply["status"] == "COMPLETED", reply
ASK
healthy=
for _ in $(seq 60); do
    if inside /opt/handler/bin/python docker/health.py 2>/dev/null; then healthy=yes; break; fi
    sleep 1
done
[ -n "$healthy" ] || { echo "the health check never passed" >&2; exit 1; }
kill -TERM "$(cat "$out/pid")"
wait "$server" || echo "exit status $?"
rm "$out/pid"
if pgrep -af '^/opt/engine/bin/python main.py'; then echo "the engine outlived SIGTERM" >&2; exit 1; fi
say "done"
