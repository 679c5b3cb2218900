# Millrace for a database of its own elsewhere: MILLRACE_DATABASE_URL and MILLRACE_SECRET_KEY come from outside. See docs/deploy.md.
FROM node:20-slim AS build
WORKDIR /build
COPY package.json package-lock.json tsconfig.json tsconfig.build.json ./
# The build runs by itself below, when the sources are there.
RUN npm ci --ignore-scripts
COPY scripts ./scripts
COPY src ./src
COPY dashboard ./dashboard
RUN npm run build

FROM node:20-slim
ENV NODE_ENV=production
WORKDIR /app
COPY --from=build /build/package.json ./
# The program has its packages in it; the database that comes along is left out.
COPY --from=build /build/dist ./dist
COPY migrations ./migrations
COPY LICENSE README.md CHANGELOG.md ./
RUN mkdir -p /data && chown node:node /data
# By number: Kubernetes does not look up a name to see that it is not root (runAsNonRoot). It is `node` of the image.
USER 1000:1000
VOLUME /data
EXPOSE 8080
STOPSIGNAL SIGTERM
# Only that the process lives: restarting it because the database is away would not bring the database back.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:8080/livez').then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "/app/dist/main.js"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8080", "--data", "/data"]
