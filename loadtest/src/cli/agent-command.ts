import { once } from 'node:events';
import { startAgent } from '../agents/agent.js';
import { parseFlags, UsageError } from './flags.js';
import { interruption } from './output.js';

export const AGENT_USAGE = `fanfare-load agent [--listen host:port]   lends this machine's generators to fanfare-load run --agents

  --listen <host:port>  (default 127.0.0.1:7070) on a network that you trust: whoever connects decides what is opened
`;

/** Serves as an agent until Ctrl-C. */
export async function agentCommand(args: readonly string[]): Promise<number> {
  const { values } = parseFlags(args, { listen: { type: 'string', default: '127.0.0.1:7070' } });
  const match = /^(.*):(\d+)$/.exec(values.listen);
  if (!match) throw new UsageError(`--listen takes host:port, not ${values.listen}`);
  const host = match[1] || '0.0.0.0';
  const agent = await startAgent(host, Number(match[2]));
  process.stdout.write(`listening on ${host}:${agent.port}\n`);
  const signal = interruption();
  if (!signal.aborted) await once(signal, 'abort');
  agent.close();
  return 0;
}
