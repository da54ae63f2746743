# StringX as one image for its API, its consumer and its migrations: `docker run … api|consumer|migrate`.
# PostgreSQL and Kafka are not in it: see deploy/compose.yaml.

FROM docker.io/library/python:3.11-slim AS packages
ENV PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_ROOT_USER_ACTION=ignore
COPY requirements.txt /build/requirements.txt
RUN python -m venv /opt/venv \
    && /opt/venv/bin/pip install -r /build/requirements.txt \
    && /opt/venv/bin/pip check

FROM docker.io/library/python:3.11-slim
LABEL org.opencontainers.image.title="StringX" \
      org.opencontainers.image.description="A data quality gate for event-driven pipelines" \
      org.opencontainers.image.licenses="Apache-2.0"

# A fixed number, so that a volume or a Kubernetes securityContext can name it.
RUN groupadd --gid 10001 stringx \
    && useradd --uid 10001 --gid stringx --no-create-home --home-dir /var/lib/stringx \
        --shell /usr/sbin/nologin stringx \
    && install --directory --owner=stringx --group=stringx --mode=0750 /var/lib/stringx

COPY --from=packages /opt/venv /opt/venv
WORKDIR /opt/stringx
COPY start-service.sh deploy/image/healthcheck.py ./
COPY quality ./quality
COPY api ./api
COPY cli ./cli
COPY consumer ./consumer
COPY stringx ./stringx

# Other hosts must reach a container, so the processes listen on every interface; the API then
# refuses to start without STRINGX_API_TOKEN.
ENV STRINGX_VENV=/opt/venv \
    STRINGX_NO_INSTALL=1 \
    STRINGX_DATA_DIR=/var/lib/stringx \
    STRINGX_API_HOST=0.0.0.0 \
    STRINGX_CONSUMER_HOST=0.0.0.0 \
    DBT_PROJECT_DIR=/opt/stringx/stringx \
    DBT_SEND_ANONYMOUS_USAGE_STATS=false \
    HOME=/var/lib/stringx \
    PYTHONUNBUFFERED=1

USER 10001:10001
EXPOSE 5001 8001
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["/opt/venv/bin/python", "healthcheck.py"]
ENTRYPOINT ["./start-service.sh"]
CMD ["api"]
