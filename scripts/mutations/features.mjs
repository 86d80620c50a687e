/** Faults in presence, in webhooks, and in who may do what. */
import { of } from './of.mjs';

export default [
  ...of('gateway/src/channels/access.ts', 'gateway/src/channels/access.test.ts', [
    ['a token is of use where nobody may', "if (rule === 'none') return 'refused';", ''],
    [
      'a backend may do everything',
      "if (isBackend) return grants.allows(action, name) ? 'allowed' : 'refused';",
      "if (isBackend) return 'allowed';",
    ],
    ['who subscribes may publish', "if (action === 'publish') return publish;", ''],
    [
      'the owner is whoever has a name',
      'owner: user !== undefined && user === ownerOf(name)',
      'owner: user !== undefined',
    ],
    ['a channel token is of no use', ' || caller.grantOn?.(name)?.allows(action, name) === true', ''],
    ['history has the rule of subscribing', "if (action === 'history') return historyAccess ?? subscribe;", ''],
    [
      'the application is not asked',
      "if (rule === 'hook') return 'for the application to say';",
      "if (rule === 'hook') return 'allowed';",
    ],
  ]),
  ...of('gateway/src/auth/permissions.ts', 'gateway/src/auth/permissions.test.ts', [
    ['a star is cut off together with what stands before it', 'pattern.slice(0, -1)', 'pattern.slice(0, -2)'],
    ['the later pattern takes away what the earlier gave', '...(this.#exact.get(pattern) ?? []), ', ''],
  ]),
  ...of('gateway/src/auth/origin.ts', 'gateway/src/auth/origin.test.ts', [
    ['a star stands for nothing, too', 'host.length > before.length + after.length && ', ''],
    ["a scheme's own port is another origin", "port: port === ownPort ? '' : port", 'port'],
    ['the port of an origin does not matter', "(entry.port === '*' || port === entry.port) && ", ''],
  ]),
  ...of('gateway/src/auth/circuit-breaker.ts', 'gateway/src/auth/circuit-breaker.test.ts', [
    ['all calls try an application that is down', ' || this.#isTrying', ''],
    ['a late failure lengthens the wait', 'this.#isOpen ? !isTrial : this.#failures', 'this.#failures'],
  ]),
  ...of('gateway/src/presence/presence-room.ts', 'gateway/test/presence.test.ts', [
    ['a change that got lost is not noticed', 'if (change.prev === this.#rev || (', 'if (change.prev >= 0 || ('],
    [
      'changes that come while the list is read are forgotten',
      'for (const change of waiting) this.onChange(change);',
      '',
    ],
    [
      'an interruption of presence is not made good',
      '    this.#isInterrupted = false;\n    this.#read();',
      '    this.#isInterrupted = false;',
    ],
    [
      'who left unnoticed stays',
      'for (const key of [...known.keys()]) if (!members.has(key)) this.#drop(key, shownAs);',
      '',
    ],
    ['a change comes twice', 'if (change.rev <= this.#rev) return;', ''],
  ]),
  ...of('gateway/src/presence/memory/memory-presence.ts', 'gateway/test/presence-memory.test.ts', [
    [
      'a user leaves with the first of his sessions',
      'if (present.sessions.size > 0) {',
      'if (present.sessions.size < 0) {',
    ],
    [
      'who comes back has the revisions of before',
      'this.#lastRev = Math.max(this.#lastRev + 1, clock.wall() * 1_000);',
      'this.#lastRev = state.rev + 1;',
    ],
  ]),
  ...of('gateway/src/presence/redis/presence-update.lua', 'gateway/test/redis/feature-scripts.test.ts', [
    ['in Redis a user leaves with the first of his sessions', 'if rest > 0 then', 'if false then'],
    ['in Redis a repeated add counts', 'if known == member then return end', ''],
    ['in Redis a revision may be that of before', 'local rev = math.max(now_us, before + 1)', 'local rev = before + 1'],
    [
      'a gateway without a lease changes what is stored',
      "if (by == 'own') ~= (ends_at > now_ms) then return -1 end",
      '',
    ],
    ['channels without sessions stay in the index', "else call('SREM', index, channel) end", 'end'],
  ]),
  ...of('gateway/src/presence/redis/presence-lease.lua', 'gateway/test/redis/feature-scripts.test.ts', [
    ["leases that are over are nobody's business", 'over[#over + 1] = all[at]', ''],
    ['a new master is believed to know all members', ' and known == replid', ''],
  ]),
  ...of('gateway/src/signature.ts', 'gateway/src/signature.test.ts', [
    ['the time is not signed', '{timeSeconds}.', '{id}.'],
    ['a short secret will do', 'key.length < KEY_BYTES.min || ', ''],
  ]),
  ...of('gateway/src/presence/redis/presence-forget.lua', 'gateway/test/redis/feature-scripts.test.ts', [
    ['a gateway that left members behind is forgotten', "if redis.call('EXISTS', KEYS[2]) == 1 then return 0 end", ''],
  ]),
  ...of('gateway/src/webhooks/redis/webhook-take.lua', 'gateway/test/redis/feature-scripts.test.ts', [
    ['two gateways send the same events', 'if sender and sender ~= ARGV[1] then return 0 end', ''],
    ['an empty queue keeps its sender', "if sender then redis.call('DEL', KEYS[2]) end", ''],
  ]),
  ...of('gateway/src/webhooks/redis/webhook-done.lua', 'gateway/test/redis/feature-scripts.test.ts', [
    ['who was the sender takes events off', "if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end", ''],
    ['what is put aside stays in the queue', "redis.call('XDEL', KEYS[1], entry[1])", ''],
  ]),
  ...of('gateway/src/webhooks/redis/webhook-replay.lua', 'gateway/test/redis/feature-scripts.test.ts', [
    ['what is dropped is sent again', "if ARGV[1] == 'replay' then redis.call", 'if ARGV[1] then redis.call'],
  ]),
  ...of('gateway/src/control/revocations-write.lua', 'gateway/test/redis/feature-scripts.test.ts', [
    ['an earlier revocation shortens a later one', 'at = math.max(at, tonumber(known_at))', 'at = at'],
    ['a revocation is no news', "call('HSET', revocations, 'version', version)", ''],
  ]),
  ...of('gateway/src/control/revocations-read.lua', 'gateway/test/redis/feature-scripts.test.ts', [
    ['revocations that ended are kept for ever', 'if ends and tonumber(ends) <= now_ms then', 'if false then'],
  ]),
];
