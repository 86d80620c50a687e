/** Revocations in Redis: one hash of the deployment, which all gateways read when it has changed. */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { RedisDeployment } from '../redis/deployment.js';
import { REVOCATIONS_KEY } from '../redis/keys.js';
import { createScript } from '../redis/script.js';
import type { Revocation, RevocationStore } from './revocation.js';

function load(file: string) {
  return createScript(readFileSync(new URL(file, import.meta.url), 'utf8'));
}

const writeScript = load('revocations-write.lua');
const readScript = load('revocations-read.lua');

const SHARD = 0;
const KEYS = [REVOCATIONS_KEY];
const TWICE_IS_ONCE = { isIdempotent: true };

export function createRedisRevocations(deployment: RedisDeployment): RevocationStore {
  deployment.join({}, [writeScript, readScript]);
  return {
    async write(revocations) {
      const args = revocations.flatMap(({ kind, id, atMs, untilMs }) => [`${kind} ${id}`, atMs, untilMs]);
      await deployment.commands.run(SHARD, writeScript, KEYS, [randomUUID(), ...args], TWICE_IS_ONCE);
    },
    async read(known) {
      const reply = await deployment.commands.run(SHARD, readScript, KEYS, [known], TWICE_IS_ONCE);
      if (!Array.isArray(reply)) return undefined;
      const texts = reply.map(String);
      let version = '';
      const revocations: Revocation[] = [];
      for (let at = 0; at < texts.length; at += 2) {
        const [name = '', value = ''] = [texts[at], texts[at + 1]];
        if (name === 'version') version = value;
        else revocations.push(toRevocation(name, value));
      }
      return { version, revocations };
    },
  };
}

/** Reads one entry as the script writes it, such as name `user u1` and value `<atMs>-<untilMs>`. */
function toRevocation(name: string, value: string): Revocation {
  const space = name.indexOf(' ');
  const [atMs = 0, untilMs = 0] = value.split('-').map(Number);
  return { kind: name.slice(0, space) === 'user' ? 'user' : 'token', id: name.slice(space + 1), atMs, untilMs };
}
