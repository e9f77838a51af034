# The studio: API and page. No GPU, no weights; a volume at /data for SQLite, or STUDIO_DATABASE for Postgres.
#
#   docker build -f docker/studio.Dockerfile -t ltx2-studio .
#   docker run -p 8080:8080 -v studio:/data --env-file studio.env ltx2-studio
#
# Behind a proxy that ends TLS; it has to let streams through (docs/studio.md).
ARG BASE_IMAGE=debian:bookworm-20260610-slim@sha256:96e378d7e6531ac9a15ad505478fcc2e69f371b10f5cdf87857c4b8188404716

FROM ${BASE_IMAGE} AS python
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates python3 tini \
    && rm -rf /var/lib/apt/lists/*

FROM python AS builder
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3-venv \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY requirements/bootstrap.lock requirements/studio.lock requirements/
RUN python3 -m venv /opt/bootstrap \
    && /opt/bootstrap/bin/pip install --no-cache-dir --require-hashes -r requirements/bootstrap.lock
RUN /opt/bootstrap/bin/uv venv --python /usr/bin/python3 /opt/studio \
    && /opt/bootstrap/bin/uv pip sync --no-cache --require-hashes --compile-bytecode --python /opt/studio \
        requirements/studio.lock

FROM python
COPY --from=builder /opt/studio/ /opt/studio/
WORKDIR /opt/app
COPY ltx2_api/ ltx2_api/
COPY ltx2_client/ ltx2_client/
COPY ltx2_studio/ ltx2_studio/
RUN /opt/studio/bin/python -m compileall -q . \
    && useradd --system --uid 10001 --create-home studio \
    && install --directory --owner studio /data
USER studio
VOLUME /data
ENV STUDIO_DATABASE=sqlite:////data/studio.db PYTHONUNBUFFERED=1
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s \
    CMD ["/opt/studio/bin/python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8080/readyz', timeout=4)"]
ENTRYPOINT ["tini", "--", "/opt/studio/bin/python", "-m", "ltx2_studio"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8080"]
