# One image for every service: docker run IMAGE entrypoints.normalization
FROM python:3.11-slim-bookworm AS built
COPY requirements.lock /
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir --require-hashes -r /requirements.lock

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --no-create-home dataproc
COPY --from=built /venv /venv
WORKDIR /app
COPY domain domain
COPY application application
COPY adapters adapters
COPY entrypoints entrypoints
COPY migrations migrations
COPY pyproject.toml specs.lock.json ./
RUN /venv/bin/python -m compileall -q domain application adapters entrypoints
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 POLARS_MAX_THREADS=1
USER 10001
ENTRYPOINT ["python", "-m"]
CMD ["entrypoints.all_in_one"]
