# The gateway, its consumers and every other command of weir as a container: no root, no source, no build tools inside.
#
#   docker build -t weir .
#   docker run -p 8883:8883 -v weir:/data -v ./certs:/certs:ro weir gateway --host 0.0.0.0 --certs /certs --aws-endpoint aws
#   docker run --no-healthcheck -v ./consumers.json:/data/consumers.json:ro weir consume --config consumers.json

FROM node:24-bookworm-slim AS build
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY . .
RUN npm run build
RUN npm prune --omit=dev --ignore-scripts
# The client of AWS IoT Core comes with libraries for seven systems; this one is enough.
RUN find node_modules/aws-crt/dist/bin -mindepth 1 -maxdepth 1 ! -name "linux-$(node -p process.arch)-glibc" -exec rm -r {} +

FROM node:24-bookworm-slim
ENV NODE_ENV=production
COPY --from=build /src/package.json /app/
COPY --from=build /src/node_modules /app/node_modules
COPY --from=build /src/bin/weir.js /app/bin/
COPY --from=build /src/dist /app/dist
# The spool: what was acknowledged and is not delivered yet. It must outlive the container.
RUN mkdir -m 700 /data && chown node:node /data
VOLUME /data
WORKDIR /data
USER node
EXPOSE 1883 8883 8083 8084 8081 8443 8082 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:8080/readyz').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "/app/bin/weir.js"]
# 0.0.0.0 within the container; what is reachable from outside is what -p publishes. The admin port has no login and stays on its loopback.
CMD ["gateway", "--host", "0.0.0.0"]
