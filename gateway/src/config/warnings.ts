/**
 * Warnings about a configuration that works and is probably not meant: one plain sentence each, for the log and for
 * `fanfare config`.
 */
import { MIN_SECRET_BYTES } from './checks.js';
import { type Config, verifiesTokens } from './resolve.js';

const MIN_KEY_LENGTH = 16;

export function warningsOf(config: Config): readonly string[] {
  const { mode, host, apiKeys, auth, jwtSecret, jwtJwksUrl, namespaceSettings } = config;
  const warnings: string[] = [];
  const isLocal = /^(127\.|localhost$|::1$)/.test(host);
  if (mode === 'development') {
    if (!isLocal && apiKeys.some(({ key }) => key === 'dev'))
      warnings.push('development: anyone who reaches this port may publish');
    if (jwtSecret !== undefined && Buffer.byteLength(jwtSecret) < MIN_SECRET_BYTES)
      warnings.push(`jwtSecret has less than ${MIN_SECRET_BYTES} bytes: it can be guessed, and production refuses it`);
    return warnings;
  }
  for (const { name, key } of apiKeys) {
    if (key.length < MIN_KEY_LENGTH)
      warnings.push(`the API key ${name} has less than ${MIN_KEY_LENGTH} characters: it can be guessed`);
  }
  if (jwtJwksUrl?.startsWith('http://'))
    warnings.push('jwtJwksUrl is not https: whoever is in between can make tokens');
  if (auth.hook.url !== undefined && auth.hook.secret === undefined)
    warnings.push('auth.hook.secret is not set: the application cannot tell who asks it');
  const canIdentify = verifiesTokens(config) || auth.hook.url !== undefined;
  for (const [name, { subscribe, publish, historyAccess }] of namespaceSettings) {
    const channels = name === '' ? 'channels without a namespace' : `channels of the namespace ${name}`;
    const rules = { subscribe, publish, 'read the history of': historyAccess };
    for (const [what, rule] of Object.entries(rules)) {
      const verb = what.startsWith('read') ? what : `${what} to`;
      if (rule === 'anyone') warnings.push(`anyone may ${verb} ${channels}, without a token`);
      if (!canIdentify && rule !== undefined && ['token', 'owner', 'authenticated'].includes(rule) && name !== '')
        warnings.push(`no client may ${verb} ${channels}: give jwtSecret, jwtPublicKey, jwtJwksUrl or auth.hook.url`);
    }
  }
  return warnings;
}
