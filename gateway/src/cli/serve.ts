import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { loadStaticFiles } from '../api/static-files.js';
import { systemClock } from '../clock.js';
import { type Config, loadConfig } from '../config.js';
import { createLogger } from '../observability/logger.js';
import { VERSION } from '../version.js';
import { WORKER_VARIABLE } from '../workers/messages.js';
import { startWorkers } from '../workers/primary.js';
import { isWorker, reportReady, sharedMetrics } from '../workers/worker.js';
import type { Command, Io } from './command.js';
import { settingsHelp } from './settings-help.js';

/** Where the build puts the demo page. */
const DEMO_FOLDER = fileURLToPath(new URL('../demo/', import.meta.url));

export const serve: Command = {
  name: 'serve',
  usage: '[flags]',
  about: 'Runs a gateway until it gets SIGINT or SIGTERM, then sends its clients elsewhere and ends.',
  details: settingsHelp(),
  async run(argv, { env, cwd, out, untilStopped }) {
    const config = loadConfig({ argv: isWorker() ? [...argv, ...flagsOfWorker(env)] : argv, env, cwd });
    const { mode, host, node, logLevel } = config;
    const format = mode === 'production' ? 'json' : 'text';
    const isOneOfMany = config.workers > 1;
    const logger = createLogger({ level: logLevel, format, node, isOneOfMany, destination: { write: out } });
    const stopped = untilStopped();
    const broker = config.redisUrl === undefined ? 'memory' : 'redis';
    if (config.workers > 1 && !isWorker()) {
      const { workers: count, port } = config;
      const stopTimeoutMs = config.timings.drainMs + 5_000;
      const workers = await startWorkers({ count, node, host, port, logger, clock: systemClock, stopTimeoutMs });
      logger.info({ url: urlOf(host, workers.port), workers: count, mode, broker, version: VERSION }, 'listening');
      try {
        logger.info({ signal: await Promise.race([stopped, workers.failed]) }, 'stopping');
      } finally {
        await workers.stop();
      }
      logger.info({}, 'stopped');
      return 0;
    }
    const index = Number(env[WORKER_VARIABLE]);
    const worker = isWorker() && { index, node: node.slice(0, -`-${index}`.length), share: sharedMetrics };
    const files = mode === 'development' && existsSync(DEMO_FOLDER) ? await loadStaticFiles(DEMO_FOLDER) : undefined;
    const { startGateway } = await import('../gateway.js');
    const gateway = await startGateway(config, logger, { files, ...(worker && { worker }) });
    const { port, healthPort, transport } = gateway;
    logger.info({ url: urlOf(host, port), healthPort, mode, broker, transport, version: VERSION }, 'listening');
    if (usesDevelopmentKey(config)) logger.warn({}, 'development: anyone who reaches this port may publish');
    const orphaned = new Promise<string>((resolve) => {
      if (worker) reportReady(() => resolve('the primary is gone'));
    });
    logger.info({ signal: await Promise.race([stopped, orphaned]) }, 'stopping');
    await gateway.close();
    logger.info({}, 'stopped');
    return 0;
  },
};

/** What the primary decided for this worker wins over the flags that both were started with. */
function flagsOfWorker({ FANFARE_PORT = '', FANFARE_NODE = '' }: Io['env']): readonly string[] {
  return ['--port', FANFARE_PORT, '--node', FANFARE_NODE];
}

function urlOf(host: string, port: number): string {
  const name = host === '127.0.0.1' ? 'localhost' : host.includes(':') ? `[${host}]` : host;
  return `http://${name}:${port}`;
}

/** Worth a word where others can reach the port. */
function usesDevelopmentKey({ mode, host, apiKeys }: Config): boolean {
  return mode === 'development' && apiKeys.includes('dev') && !/^(127\.|localhost$|::1$)/.test(host);
}
