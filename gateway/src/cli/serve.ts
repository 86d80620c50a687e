import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Registry } from 'prom-client';
import { loadStaticFiles } from '../api/static-files.js';
import { systemClock } from '../clock.js';
import { type Config, ConfigError, loadConfig } from '../config/config.js';
import { settingsHelp } from '../config/docs.js';
import { warningsOf } from '../config/warnings.js';
import { createLogger, type Logger } from '../observability/logger.js';
import { VERSION } from '../version.js';
import { WORKER_VARIABLE } from '../workers/messages.js';
import { startWorkers } from '../workers/primary.js';
import { isWorker, PrimaryLink } from '../workers/worker.js';
import type { Command, ExitCode, Io } from './command.js';

/** Where the build puts the demo page. */
const DEMO_FOLDER = fileURLToPath(new URL('../demo/', import.meta.url));

/** Most characters of `node`, as the configuration checks it. */
const MAX_NODE_LENGTH = 64;

export const serve: Command = {
  name: 'serve',
  usage: '[flags]',
  about: 'Runs a gateway until it gets SIGINT or SIGTERM, then sends its clients elsewhere and ends.',
  details: settingsHelp(),
  async run(argv, { env, cwd, out, err, openLog, untilStopped }) {
    const config = loadConfig({ argv: isWorker() ? [...argv, ...flagsOfWorker(env)] : argv, env, cwd });
    const { mode, host, node, logLevel } = config;
    const format = mode === 'production' ? 'json' : 'text';
    const isOneOfMany = config.workers > 1;
    const log = openLog?.();
    const logger = createLogger({ level: logLevel, format, node, isOneOfMany, destination: log ?? { write: out } });
    if (log) {
      log.onLoss = (reason) => err(`fanfare serve: a log line is lost (${reason}); clients are served all the same\n`);
      log.onRecovery = (lost) => logger.warn({ lost }, 'log lines were lost');
    }
    const primary = isWorker() ? new PrimaryLink() : undefined;
    const stopped = primary?.stopped ?? untilStopped();
    const broker = config.redisUrl === undefined ? 'memory' : 'redis';
    if (config.workers > 1 && !primary) {
      assertWorkersCanBeNamed(config);
      const { workers: count, port } = config;
      const stopTimeoutMs = config.stopDelayMs + config.timings.closeMs + 5_000;
      const starting = startWorkers({ count, node, host, port, logger, clock: systemClock, stopTimeoutMs });
      const workers = await Promise.race([starting, stopped]);
      // Workers that were started end by themselves once this process is gone.
      if (typeof workers === 'string') return stoppedEarly(logger, workers);
      logger.info({ url: urlOf(config, workers.port), workers: count, mode, broker, version: VERSION }, 'listening');
      warn(config, logger);
      logger.info({ signal: await stopped }, 'stopping');
      await workers.stop();
      logger.info({}, 'stopped');
      return 0;
    }
    const index = Number(env[WORKER_VARIABLE]);
    const worker = primary && {
      index,
      node: node.slice(0, -`-${index}`.length),
      share: (registry: Registry) => primary.share(registry),
    };
    const files = mode === 'development' && existsSync(DEMO_FOLDER) ? await loadStaticFiles(DEMO_FOLDER) : undefined;
    const { startGateway } = await import('../gateway.js');
    const giveUp = new AbortController();
    void stopped.then(() => giveUp.abort());
    const starting = startGateway(config, logger, {
      files,
      logLinesLost: () => log?.lost ?? 0,
      signal: giveUp.signal,
      onWaiting: () => primary?.reportWaiting(),
      ...(worker && { worker }),
    });
    const gateway = await Promise.race([starting, stopped]);
    if (typeof gateway === 'string') {
      // It is not waited for, because the process ends.
      void starting.then(({ close }) => close()).catch(() => {});
      return stoppedEarly(logger, gateway);
    }
    const { port, healthPort, transport } = gateway;
    logger.info({ url: urlOf(config, port), healthPort, mode, broker, transport, version: VERSION }, 'listening');
    if (!primary) warn(config, logger);
    primary?.reportReady();
    logger.info({ signal: await stopped }, 'stopping');
    await gateway.close();
    logger.info({}, 'stopped');
    return 0;
  },
};

function warn(config: Config, logger: Logger): void {
  for (const warning of warningsOf(config)) logger.warn({}, warning);
}

function stoppedEarly(logger: Logger, signal: string): ExitCode {
  logger.info({ signal }, 'stopped while starting');
  return 0;
}

/** Refuses a `node` that is too long for workers, which are named `<node>-<index>`. */
function assertWorkersCanBeNamed({ node, workers }: Config): void {
  const longest = MAX_NODE_LENGTH - `-${workers}`.length;
  if (node.length <= longest) return;
  const message = `must not be longer than ${longest} characters with ${workers} workers, which add their number`;
  throw new ConfigError([{ path: 'node', message }]);
}

/** The flags of a worker. What the primary decided for it wins over the flags that both were started with. */
function flagsOfWorker({ FANFARE_PORT = '', FANFARE_NODE = '' }: Io['env']): readonly string[] {
  return ['--port', FANFARE_PORT, '--node', FANFARE_NODE];
}

function urlOf({ host, tls }: Config, port: number): string {
  const name = host === '127.0.0.1' ? 'localhost' : host.includes(':') ? `[${host}]` : host;
  return `${tls.cert === undefined ? 'http' : 'https'}://${name}:${port}`;
}
