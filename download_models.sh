#!/bin/sh
# Fetches model files; `./download_models.sh --help` says how. Needs Python 3.11 or newer with what
# requirements/download.lock lists: name another one with PYTHON=/path/to/python.
set -eu
here="$(CDPATH='' cd "$(dirname "$0")" && pwd)"
python="${PYTHON:-python3}"
if [ -z "${PYTHON:-}" ] && [ -x "$here/.local/handler/bin/python" ]; then
    python="$here/.local/handler/bin/python" # what `python3 -m local run` has made
fi
if ! "$python" -c "import huggingface_hub, filelock, pydantic, rich" 2>/dev/null; then
    echo "$python has no huggingface_hub; in an environment (python3 -m venv) run: python -m pip install \
--require-hashes -r $here/requirements/download.lock, and name its Python with PYTHON=" >&2
    exit 4
fi
PYTHONPATH="$here${PYTHONPATH:+:$PYTHONPATH}" exec "$python" -m ltx2_worker.download "$@"
