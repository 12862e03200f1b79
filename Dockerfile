# Two images. Build one with `docker build --target runtime .` or `--target tool`; both build with
# BuildKit. `ecluse image ENV runtime|tool` finds or builds them in Google Cloud, under a tag that is
# the hash of what goes in: the sources named in pyproject.toml's [tool.ecluse.images] and the stages
# below. So copy nothing here that is not named there.

# kfp-server-api is published as source alone. What builds it is fixed by its hash like all else: left
# to itself, an installer would fetch the newest setuptools there is. No image keeps it.
ARG SETUPTOOLS="setuptools==84.2.1 --hash=sha256:ca140b45d5325a9478f880e351484f62fef15f336462e449ca0c03c873d589c2"

# The digest is the multi-architecture index that the tag named in August 2026. Raise both together.
FROM python:3.11.15-slim-bookworm@sha256:d29f48a31a8b408ed19272ca1e7b10ebae13b240a27e862d3d4217c528e2e0c3 AS base
ENV PYTHONUNBUFFERED=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_ROOT_USER_ACTION=ignore


# The runtime image: what the pipelines' components run in, and what serves the model.
# It holds the business code and its locked dependencies; no pipeline, no delivery engine, no secret.
FROM base AS runtime
ARG SETUPTOOLS
COPY src/churn/requirements.txt /tmp/requirements.txt
# The hashes make the registry's bytes the ones that were tested. `--no-deps`: the list is complete.
# Wheels only: nothing is built here but kfp-server-api.
RUN printf '%s\n' "${SETUPTOOLS}" > /tmp/build-tools.txt \
    && pip install --require-hashes --no-deps --only-binary=:all: --target=/tmp/build-tools \
        --requirement /tmp/build-tools.txt \
    && PYTHONPATH=/tmp/build-tools pip install --require-hashes --no-deps \
        --only-binary=:all: --no-binary=kfp-server-api --no-build-isolation \
        --requirement /tmp/requirements.txt \
    && rm -r /tmp/build-tools /tmp/build-tools.txt /tmp/requirements.txt \
    && useradd --create-home --uid 10001 runtime
COPY src/churn /app/churn
RUN python3 -m compileall -q /app/churn
# Vertex AI reaches a serving container from outside; elsewhere the server listens on loopback only.
ENV PYTHONPATH=/app \
    CHURN_SERVING_HOST=0.0.0.0
WORKDIR /home/runtime
USER 10001
EXPOSE 8080
# A KFP component brings its own command; without one, the image serves the model on AIP_HTTP_PORT.
CMD ["python3", "-m", "churn.serving"]


# What the tool image's dependencies are installed with, and nothing that it keeps.
FROM base AS tool-dependencies
ENV UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy \
    UV_PROJECT_ENVIRONMENT=/opt/ecluse \
    UV_PYTHON_DOWNLOADS=never \
    PATH=/opt/build-tools/bin:$PATH \
    PYTHONPATH=/opt/build-tools
WORKDIR /build
ARG SETUPTOOLS
# uv's two hashes: x86_64 and aarch64.
RUN printf '%s\n' "${SETUPTOOLS}" "uv==0.13.9 \
--hash=sha256:d7f459fe4fd247d830351c75686d3996ace3c6f3f728eb0e85a30b7ada0cef19 \
--hash=sha256:ecb6028d79dc96fbeafffe5c8af62a7099487ebc05a701e76714eebcffd06375" > build-tools.txt \
    && pip install --require-hashes --no-deps --only-binary=:all: --target=/opt/build-tools \
        --requirement build-tools.txt
COPY pyproject.toml uv.lock ./
RUN uv sync --locked --no-default-groups --no-install-project \
        --no-build-isolation-package kfp-server-api


# The tool image: `ecluse`, for the steps of cloudbuild/*.yaml. Its dependencies are the lock's.
FROM base AS tool
# Version pins of Debian packages vanish from the mirrors with each update.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends git \
    && rm -rf /var/lib/apt/lists/* \
    # Cloud Build's checkout belongs to another user, which git refuses unless told.
    && git config --system --add safe.directory /workspace
COPY --from=tool-dependencies /opt/ecluse /opt/ecluse
COPY src/ecluse /opt/ecluse/lib/python3.11/site-packages/ecluse
RUN printf '%s\n' '#!/opt/ecluse/bin/python' 'from ecluse.cli import main' 'main()' \
        > /opt/ecluse/bin/ecluse \
    && chmod 755 /opt/ecluse/bin/ecluse \
    && /opt/ecluse/bin/python -m compileall -q /opt/ecluse/lib/python3.11/site-packages/ecluse
ENV PATH=/opt/ecluse/bin:$PATH
# No USER: Cloud Build hands its steps a /workspace that only root may write to.
WORKDIR /workspace
ENTRYPOINT ["ecluse"]
