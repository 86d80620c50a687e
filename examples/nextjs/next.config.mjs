/** @type {import('next').NextConfig} */
export default {
  // Browsers have to know it, so it stands in what is built for them.
  env: { FANFARE_WS_URL: process.env.FANFARE_WS_URL ?? 'ws://localhost:8080/ws' },
  // This folder is the whole application, whatever stands above it.
  turbopack: { root: import.meta.dirname },
  outputFileTracingRoot: import.meta.dirname,
};
