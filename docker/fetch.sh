#!/bin/sh
# fetch ID...: downloads those of these model files that $MODEL_SET asks for into /weights. Part of the Dockerfile.
set -eu

mkdir -p /weights
if [ -n "$MODEL_SET" ]; then
    for set in $MODEL_SET; do sets="${sets:-} --set $set"; done
    for id in "$@"; do ids="${ids:-} --file $id"; done
    if [ -s /run/secrets/hf_token ]; then
        HF_TOKEN="$(cat /run/secrets/hf_token)"
        export HF_TOKEN
    fi
    [ -n "$HF_ENDPOINT" ] || unset HF_ENDPOINT
    # shellcheck disable=SC2086 - both are lists of words
    /opt/downloader/bin/python -m ltx2_worker.download $sets $ids --dest /weights
    rm -f /weights/.download.lock
fi
# The time of the build would make another layer of the same bytes.
find /weights -exec touch --no-dereference --date=@0 {} +
