# One image for web, relay, workers and the model server. Stage 1 builds the Rust core and the front end; stage 2 runs.
FROM rust:1.95-slim-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends python3 python3-venv python3-dev make git gcc libc6-dev bubblewrap libseccomp2 && rm -rf /var/lib/apt/lists/*
COPY --from=node:20-bookworm-slim /usr/local/bin/node /usr/local/bin/node
COPY --from=node:20-bookworm-slim /usr/local/lib/node_modules /usr/local/lib/node_modules
RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm
WORKDIR /app
COPY . .
RUN make rust web && rm -rf node_modules rust_core/target

FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends python3 git bubblewrap libseccomp2 postgresql-client && rm -rf /var/lib/apt/lists/*
COPY --from=build /app /app
WORKDIR /app
ENV PATH=/app/.venv/bin:$PATH PYTHONUNBUFFERED=1
EXPOSE 8000
CMD ["daphne", "-b", "0.0.0.0", "-p", "8000", "webapp.asgi:application"]
