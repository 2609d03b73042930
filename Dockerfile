# One image for nodes and workers: `threadline serve` is the default; `worker MODULE:AGENT` runs agents.
# It runs as user 10001, with a read-only root; what it writes is /data (the embedded store) and /tmp.
#
#     docker build -t threadline .
#     docker run --read-only --tmpfs /tmp -v threadline:/data -p 8000:8000 \
#         -e THREADLINE_AUTH=token -e THREADLINE_AUTH_SECRET=... threadline

FROM node:22.21-bookworm-slim AS page
WORKDIR /src/web_demo
COPY web_demo/package.json web_demo/package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY web_demo/ ./
RUN npm run build

FROM python:3.12-slim-bookworm AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends gcc=4:12.* libc6-dev=2.36-* \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY requirements.lock ./
# The versions of the lock, whatever part of it this image installs.
RUN sed -E '/^ *--hash/d; / *#/d; s/ *\\$//' requirements.lock > /constraints.txt \
    && python -m venv /opt/threadline \
    && /opt/threadline/bin/pip install --no-cache-dir -c /constraints.txt hatchling
COPY pyproject.toml README.md hatch_build.py compile_hot_modules.py ./
COPY client_py/ client_py/
COPY server/ server/
COPY --from=page /src/web_demo/dist/ web_demo/dist/
RUN THREADLINE_COMPILE=1 THREADLINE_PAGE=required \
    /opt/threadline/bin/pip wheel --no-cache-dir --no-deps --wheel-dir /wheels . \
    && wheel="$(ls /wheels/threadline-*.whl)" \
    && /opt/threadline/bin/pip install --no-cache-dir -c /constraints.txt "${wheel}[agents,s3,telemetry]" \
    && /opt/threadline/bin/pip uninstall --yes hatchling pip

FROM python:3.12-slim-bookworm
RUN useradd --system --uid 10001 --user-group --home-dir /data --shell /usr/sbin/nologin threadline \
    && install -d -o 10001 -g 10001 -m 0700 /data
COPY --from=build /opt/threadline /opt/threadline
ENV PATH=/opt/threadline/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    THREADLINE_PORT=8000 \
    THREADLINE_LOG_FORMAT=json
USER 10001:10001
# The default of --data is `data` below the working directory; with --redis nothing is kept.
WORKDIR /
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
# Alive, not ready: a node whose Redis is away comes back by itself and must not be restarted for it.
HEALTHCHECK --interval=10s --timeout=3s --start-period=40s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f'http://127.0.0.1:{os.environ[\"THREADLINE_PORT\"]}/livez', timeout=2)"]
ENTRYPOINT ["threadline"]
CMD ["serve", "--host", "0.0.0.0"]
