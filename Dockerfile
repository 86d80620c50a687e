# Debian 13 has glibc 2.41: the uWebSockets.js binaries of Node 22 and 24 need 2.38.
FROM node:24-trixie-slim AS build
WORKDIR /app
COPY . .
RUN npm ci && npm run build && npm prune --omit=dev
# The addon ships binaries for every platform and Node version; only this image's is needed.
RUN cd node_modules/uWebSockets.js \
  && keep="uws_$(node -p '`${process.platform}_${process.arch}_${process.versions.modules}`').node" \
  && test -f "$keep" \
  && find . -name 'uws_*.node' ! -name "$keep" -delete

FROM node:24-trixie-slim
WORKDIR /app
ENV NODE_ENV=production FANFARE_PORT=8080
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/protocol ./protocol
COPY --from=build /app/client-sdk ./client-sdk
COPY --from=build /app/gateway ./gateway
USER node
EXPOSE 8080
HEALTHCHECK --interval=5s --timeout=3s CMD ["node", "-e", "fetch('http://127.0.0.1:8080/health/ready').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "gateway/bin/fanfare.mjs", "serve"]
