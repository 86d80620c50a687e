/** The Lua scripts as typed functions; nothing else names a script. */
import { readFileSync } from 'node:fs';
import { channelKeys } from '../../../redis/keys.js';
import type { CommandArgument } from '../../../redis/resp.js';
import {
  createScript,
  runScript,
  type Script,
  type ScriptArguments,
  type ScriptConnection,
} from '../../../redis/script.js';
import { type ChannelSpec, type LineageEntry, type LogPage, NEW_IDENTITY_MS, type ReadRange } from '../../broker.js';
import type { LogPosition } from '../../record.js';
import { decodeRecords } from '../../record-codec.js';

/** How long a log's identity is kept after the last publish, ms (longer where the log is kept longer). */
export const META_TTL_MS = 30 * 24 * 3600_000;

/**
 * How long the meta key is kept, ms: for `META_TTL_MS`, but never shorter than the log, which may outlive its time by
 * an eighth.
 */
function metaTtlMs(historyTtlMs: number): number {
  return Math.max(META_TTL_MS, Math.ceil(historyTtlMs * 1.25));
}

function loadScript(file: string): Script {
  return createScript(readScriptFile('include-log.lua') + readScriptFile(file));
}

function readScriptFile(file: string): string {
  return readFileSync(new URL(file, import.meta.url), 'utf8');
}

// --- publish -----------------------------------------------------------------------------------

export const publishScript = loadScript('publish.lua');
/** The script that pushes a live message with an idempotency key. */
export const pushScript = loadScript('push-1.lua');

/** One message for the log: the body of its record, and its idempotency key. */
export interface ScriptMessage {
  readonly body: Buffer;
  readonly key?: string | undefined;
}

export interface Appended {
  readonly position: LogPosition;
  /**
   * Whether the key was seen before. The position is then that of the first message with the key, and nothing was
   * appended.
   */
  readonly duplicate: boolean;
}

/** The arguments for a channel that do not change with its messages. */
export function publishSettings(push: string, { historySize, historyTtlMs }: ChannelSpec): readonly CommandArgument[] {
  return [push, historySize, historyTtlMs, metaTtlMs(historyTtlMs)];
}

/** The argument that says which messages have idempotency keys. */
export function publishFlags(messages: readonly ScriptMessage[]): string {
  let flags = '';
  for (const { key } of messages) flags += key === undefined ? '0' : '1';
  return flags;
}

/**
 * Reads the reply of the publish script. For each group, in the order given: what became of each message, or the error
 * for which nothing was done for the group. After a `HALFDONE` error some of it may have been done.
 */
export function parsePublishReply(reply: unknown): (Appended[] | Error)[] {
  return (reply as (Buffer | [number, ...(number | Buffer)[]])[]).map((group) => {
    if (Buffer.isBuffer(group)) return new ScriptError(group.toString());
    const epoch = group[0];
    const appended: Appended[] = [];
    for (let i = 1; i < group.length; i++) {
      const item = group[i] as number | Buffer;
      appended.push(
        typeof item === 'number'
          ? { position: { epoch, offset: item }, duplicate: false }
          : { position: parseStreamId(item.toString('latin1')), duplicate: true },
      );
    }
    return appended;
  });
}

/** An error reply that a script caught. It has the name that ioredis gives to error replies. */
class ScriptError extends Error {
  override readonly name = 'ReplyError';
}

// --- read --------------------------------------------------------------------------------------

export const logScript = loadScript('read-2.lua');

/** A page of a log, and the server that answered. */
export interface ServedLogPage {
  readonly page: LogPage;
  /** `master_replid` of the server that answered. */
  readonly replicationId: string;
  /** Role of the server that answered. `slave`: a replica, which may be behind. */
  readonly role: 'master' | 'slave';
}

export interface ReadOptions {
  /** Whether to lengthen the life of the log's identity, because somebody is on the channel. Default false. */
  readonly renew?: boolean;
}

/**
 * Reads head, lineage and a page in one view, from the server behind this connection. It may create the log's identity
 * there. What `range.confirmed` asks for is up to the caller.
 *
 * With `sinceTime`, the times of entries are taken as growing. Where a clock stepped back, the page may begin somewhat
 * too early or too late.
 * @throws the errors of ioredis as they are
 */
export async function readLog(
  connection: ScriptConnection,
  channel: ChannelSpec,
  range: ReadRange,
  options: ReadOptions = {},
): Promise<ServedLogPage> {
  const { log, meta } = channelKeys(channel.name);
  const renewTtlMs = options.renew ? metaTtlMs(channel.historyTtlMs) : 0;
  const maxBytes = range.maxBytes ?? Number.MAX_SAFE_INTEGER;
  const args: ScriptArguments = [
    2,
    log,
    meta,
    range.isPeek ? 0 : NEW_IDENTITY_MS,
    renewTtlMs,
    range.limit,
    maxBytes,
    ...rangeArguments(range),
  ];
  const [epoch, offset, lineage, more, replicationId, role, ...records] = (await runScript(
    connection,
    logScript,
    args,
  )) as [number, number, Buffer, number, Buffer, Buffer, ...Buffer[]];
  return {
    page: {
      head: { epoch, offset },
      lineage: parseLineage(lineage.toString('latin1')),
      entries: decodeRecords(records),
      more: more === 1,
    },
    replicationId: replicationId.toString('latin1'),
    role: role.toString('latin1') as ServedLogPage['role'],
  };
}

function rangeArguments(range: ReadRange): [string, string] {
  if ('after' in range) return ['after', formatStreamId(range.after)];
  if ('before' in range) return ['before', formatStreamId(range.before)];
  if ('last' in range) return ['last', ''];
  return ['since', String(range.sinceTime)];
}

function formatStreamId({ epoch, offset }: LogPosition): string {
  return `${epoch}-${offset}`;
}

function parseStreamId(id: string): LogPosition {
  const [epoch, offset] = id.split('-');
  return { epoch: Number(epoch), offset: Number(offset) };
}

function parseLineage(text: string): LineageEntry[] {
  return text.split(',').map((entry) => {
    const [epoch, baseOffset] = entry.split(':');
    return { epoch: Number(epoch), baseOffset: Number(baseOffset) };
  });
}
