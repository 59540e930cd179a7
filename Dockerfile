# syntax=docker/dockerfile:1
# Build: docker build -t sluice .        Run: docker run -p 3000:3000 -e API_KEYS=... -e OPENAI_API_KEY=... sluice

FROM node:22-trixie-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# No dependency needs its install script, so none gets to run.
RUN npm ci --ignore-scripts
COPY tsconfig.json ./
COPY src src
COPY workers workers
COPY test/make-package.ts test/package-parts.ts test/
# Tests and benches are compiled by `npm run build` too; the image holds neither.
RUN npm run build && node dist/test/make-package.js here
RUN npm prune --omit=dev

FROM node:22-trixie-slim
ENV NODE_ENV=production HOST=0.0.0.0 PORT=3000
# Large buffers go back to the system: left to itself glibc keeps more and more of them (7 % in ten minutes of the soak).
ENV MALLOC_MMAP_THRESHOLD_=131072 MALLOC_TRIM_THRESHOLD_=131072
WORKDIR /app
RUN mkdir -p /app/data && chown node:node /app/data
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/bundle bundle
COPY package.json LICENSE ./
COPY resources resources
USER node
EXPOSE 3000
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:'+(process.env.PORT||3000)+'/readyz').then(r=>process.exit(r.ok?0:1),()=>process.exit(1))"]
# Node is process 1's child of nothing: it handles SIGTERM itself and drains.
CMD ["node", "bundle/src/main.js", "start"]
