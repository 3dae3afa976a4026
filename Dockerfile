# Inkling in a container. It listens on every address, so it wants a key, or to be told that it needs none:
#   docker run --rm -v data:/data inkling keys create me --scope admin && docker run -p 8000:8000 -v data:/data inkling
#   docker run -p 127.0.0.1:8000:8000 -e INKLING_ALLOW_ANONYMOUS=true -v data:/data inkling
# EXTRAS of pyproject.toml are in it: docker build --build-arg EXTRAS=sqlite,mlflow,tracing . The image's label names them.
ARG PYTHON_VERSION=3.11
ARG EXTRAS=dask,objects,postgresql,sqlite

FROM python:${PYTHON_VERSION}-slim AS build
ARG EXTRAS
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore UV_LINK_MODE=copy PYTHONDONTWRITEBYTECODE=1
WORKDIR /source
RUN apt-get -qq update && apt-get -qq install --yes --no-install-recommends binutils && \
    python -m venv --without-pip /opt/inkling
COPY requirements/build.txt requirements/dev.txt requirements/extras.txt requirements/
COPY pyproject.toml README.md LICENSE ./
# The two locks hold every extra; what they list is checked against their hashes.
RUN --mount=type=cache,target=/root/.cache \
    pip install --quiet --require-hashes -r requirements/build.txt && \
    uv pip install --quiet --python /opt/inkling/bin/python -c requirements/dev.txt -c requirements/extras.txt \
        -r pyproject.toml $(echo "$EXTRAS" | tr , '\n' | sed -n 's/./--extra &/p')
COPY inkling inkling
COPY service service
COPY model_store model_store
COPY tools/sbom.py tools/
# The packages' tests, examples and type stubs stay behind, and so do the debug symbols that four of them carry (42 MB).
# What is in the image is listed in /opt/inkling/sbom.cdx.json. Bytecode is made here, since nothing can be written later; not for what charts, terminal output and Dask never import.
RUN hatchling build --target wheel --directory /wheel && \
    uv pip install --quiet --no-deps --python /opt/inkling/bin/python /wheel/*.whl && \
    cd /opt/inkling/lib/python*/site-packages && \
    find . -depth \( -name tests -o -name sample_data -o -name '*.pyi' \) -exec rm -r {} + && \
    python /source/tools/sbom.py /opt/inkling > /opt/inkling/sbom.cdx.json && \
    strip --strip-unneeded $(find uvloop cc3d kiwisolver sqlean -name '*.so' 2>/dev/null) && \
    python -m compileall -q -j 0 -x '/(fontTools|pygments|dask/(array|bag|dataframe))/' --invalidation-mode unchecked-hash .

FROM python:${PYTHON_VERSION}-slim
ARG EXTRAS
LABEL org.opencontainers.image.title="Inkling" \
      org.opencontainers.image.description="Training and inference for handwritten digits, in a glass box" \
      org.opencontainers.image.licenses="Apache-2.0" \
      inkling.extras="$EXTRAS"
COPY --from=build /opt/inkling /opt/inkling
# For any user of group 0, which is how OpenShift runs it.
RUN install --directory --owner 10001 --group 0 --mode 0770 /data
ENV PATH=/opt/inkling/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    MPLCONFIGDIR=/tmp/matplotlib \
    INKLING_HOST=0.0.0.0 \
    INKLING_PORT=8000 \
    INKLING_DATA_DIR=/data
USER 10001:0
WORKDIR /data
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f'http://127.0.0.1:{os.environ[\"INKLING_PORT\"]}/readyz', timeout=4)"]
ENTRYPOINT ["inkling"]
CMD ["serve"]
