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
# No FANFARE_PORT: it would win over the PORT that Heroku and Cloud Run set. The default is 8080.
ENV NODE_ENV=production
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/protocol ./protocol
COPY --from=build /app/client-sdk ./client-sdk
COPY --from=build /app/gateway ./gateway
USER node
EXPOSE 8080
# Whether it lives, on the port that is configured: a gateway that waits for Redis is not to be restarted.
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD ["node", "gateway/bin/fanfare.mjs", "health"]
CMD ["node", "gateway/bin/fanfare.mjs", "serve"]
