# The service and the workers: one image, no TensorFlow and no torch.
FROM python:3.11-slim AS build
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE CHANGELOG.md ./
COPY domain domain
COPY indexer indexer
COPY plugin plugin
COPY recommender recommender
COPY rerank_service rerank_service
COPY sidetower sidetower
COPY workers workers
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir -c constraints.txt '.[serve]'

FROM python:3.11-slim
RUN useradd --system --uid 10001 --create-home sidetower && install -d -o sidetower /var/lib/sidetower
COPY --from=build /venv /venv
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
USER sidetower
WORKDIR /var/lib/sidetower
CMD ["sidetower", "serve", "--host", "0.0.0.0"]
