import { startRedis as startRedisServers } from '../topology/redis-servers.js';
import { pinToServerCore } from './server-process.js';

export interface RedisServer {
  readonly port: number;
  stop(): Promise<void>;
}

/** Starts a redis-server of our own, without persistence, on a free port and on the core of servers. */
export async function startRedis(): Promise<RedisServer> {
  const servers = await startRedisServers();
  pinToServerCore(servers.node.pid);
  return { port: servers.node.port, stop: () => servers.stop() };
}
