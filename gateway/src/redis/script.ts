/** Lua scripts as servers know them: by the digest of their text. */
import { createHash } from 'node:crypto';
import { isScriptMissing } from './reply-errors.js';
import type { CommandArgument } from './resp.js';

/** A script's text and the digest by which servers know it. */
export interface Script {
  readonly source: string;
  readonly sha: string;
}

export function createScript(source: string): Script {
  return { source, sha: createHash('sha1').update(source).digest('hex') };
}

/**
 * The part of an ioredis connection that running a script needs. It leads to the master of the slot of the script's
 * keys.
 */
export interface ScriptConnection {
  callBuffer(command: string, ...args: CommandArgument[]): Promise<unknown>;
}

/** KEYS and ARGV of a script, as EVALSHA takes them after the digest. */
export type ScriptArguments = [keyCount: number, ...rest: CommandArgument[]];

/** Runs a script by its digest, and sends its text only if the server does not know it. */
export async function runScript(connection: ScriptConnection, script: Script, args: ScriptArguments): Promise<unknown> {
  try {
    return await connection.callBuffer('EVALSHA', script.sha, ...args);
  } catch (error) {
    if (!isScriptMissing(error)) throw error;
    return connection.callBuffer('EVAL', script.source, ...args);
  }
}
