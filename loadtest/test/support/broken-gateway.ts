import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** A fault put into a copy of the built gateway: what `fanfare-load verify` is for. */
export interface Mutation {
  readonly name: string;
  /** Below `gateway/dist/`. */
  readonly file: string;
  /** Text that stands in the file exactly once, and what replaces it. */
  readonly from: string;
  readonly to: string;
}

export const MUTATIONS = {
  skipsTheRepair: {
    name: 'skips the repair: whatever it missed, it goes on with what comes',
    file: 'hub/durable-channel.js',
    from: '    repair(seen) {\n        if (seen?.epoch',
    to: '    repair(seen) {\n        this.#held = undefined;\n        return Promise.resolve();\n        if (seen?.epoch',
  },
  dropsTheContinuityCheck: {
    name: 'drops the continuity check: whatever is pushed is delivered',
    file: 'hub/durable-channel.js',
    from: '    onRecord(record) {\n        if (this.#held) {',
    to: '    onRecord(record) {\n        this.#take(record);\n        return;\n        if (this.#held) {',
  },
  acknowledgesBeforeStoring: {
    name: 'acknowledges before storing: what takes longer than 50 ms is answered with the position it will have',
    file: 'broker/redis/redis-broker.js',
    from: 'publisher.publish(channel, messages, publishOptions),',
    to: `(() => {
            const heads = (globalThis.heads ??= new Map());
            const stored = publisher.publish(channel, messages, publishOptions).then((outcomes) => {
                for (const { position } of outcomes) if (position) heads.set(channel.name, position);
                return outcomes;
            });
            const early = new Promise((resolve) => setTimeout(() => {
                const head = heads.get(channel.name);
                if (head) resolve(messages.map((_, i) => ({ position: { epoch: head.epoch, offset: head.offset + 1 + i } })));
            }, 50));
            return Promise.race([stored, early]);
        })(),`,
  },
  forgetsSubscribers: {
    name: 'forgets one subscriber in a thousand',
    file: 'transport/uws-socket.js',
    from: '    subscribe(topic) {\n',
    to: `    subscribe(topic) {
        if (topic.includes('load-')) globalThis.subscribes = (globalThis.subscribes ?? 0) + 1;
        if (topic.includes('load-') && globalThis.subscribes % 1000 === 0) return;
`,
  },
} satisfies Record<string, Mutation>;

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

export interface BrokenGateway {
  /** For `--program`. */
  readonly program: string;
  remove(): void;
}

/** Copies the build, and breaks the copy. @throws if the text to change does not stand there once. */
export function breakGateway({ name, file, from, to }: Mutation): BrokenGateway {
  const folder = mkdtempSync(path.join(tmpdir(), 'fanfare-broken-'));
  const gateway = path.join(folder, 'gateway');
  mkdirSync(gateway);
  for (const part of ['bin', 'dist', 'package.json']) {
    cpSync(path.join(ROOT, 'gateway', part), path.join(gateway, part), { recursive: true });
  }
  symlinkSync(path.join(ROOT, 'node_modules'), path.join(folder, 'node_modules'));
  const target = path.join(gateway, 'dist', file);
  const source = readFileSync(target, 'utf8');
  if (source.split(from).length !== 2) throw new Error(`${name}: the text to change must stand once in ${file}`);
  writeFileSync(
    target,
    source.replace(from, () => to),
  );
  return { program: path.join(gateway, 'bin/fanfare.mjs'), remove: () => rmSync(folder, { recursive: true }) };
}
