/** What a gateway remembers about one message, by the events of its flight recorder. */
import type { FlightEvent } from '../flight-recorder.js';
import { MAX_FATES, type SessionFate, type SessionVerdict, type WhyShare } from './calls.js';

type Remembered = Omit<WhyShare, 'node' | 'since' | 'channel'>;

interface Sought {
  readonly epoch: number;
  readonly offset: number;
  readonly session?: string | undefined;
}

/** @param events the events of the channel, oldest first */
export function recollect(events: Iterable<FlightEvent>, { epoch, offset, session }: Sought): Remembered {
  const all = [...events];
  const isMeant = (event: FlightEvent) => covers(event, epoch, offset);
  const find = (what: FlightEvent['what']) => all.find((event) => event.what === what && isMeant(event));
  const published = find('published');
  const read = find('read');
  const flushed = find('flushed');
  const reset = all.find((event) => event.what === 'reset' && event.epoch >= epoch && event.to >= offset);
  const received = read ? { by: 'log' as const, at: read.at } : flushed && { by: 'push' as const, at: flushed.at };
  const replayed = all.filter((event) => event.what === 'replayed' && isMeant(event)).map(fateOf);
  const dropped = flushed ? droppedAt(flushed, all, offset) : [];
  return {
    ...(published && { published: { at: published.at, by: published.who } }),
    ...(received && { received }),
    ...(flushed && { flushed: { at: flushed.at, subscribers: flushed.count } }),
    ...(reset && !flushed && { reset: { at: reset.at, reason: reset.who } }),
    dropped: dropped.slice(0, MAX_FATES),
    droppedCount: dropped.length,
    replayed: replayed.slice(0, MAX_FATES),
    replayedCount: replayed.length,
    ...(session !== undefined && {
      session: judgeSession(
        all.filter(({ what, who }) => who === session && !NOT_OF_SESSIONS.has(what)),
        flushed,
        { epoch, offset },
      ),
    }),
  };
}

/** Events whose `who` is no session. */
const NOT_OF_SESSIONS: ReadonlySet<FlightEvent['what']> = new Set(['published', 'reset']);

/** Whether the message is among those that the event is about. */
function covers(event: FlightEvent, epoch: number, offset: number): boolean {
  return event.epoch === epoch && event.from <= offset && offset <= event.to;
}

function fateOf({ who, at }: FlightEvent): SessionFate {
  return { session: who, at };
}

/**
 * The sessions for which the message was dropped. They were on the channel when it was flushed, were taken off after
 * that because they read too slowly, and did not have the message: they came back from a position before it, or have
 * not come back.
 */
function droppedAt(flushed: FlightEvent, all: readonly FlightEvent[], offset: number): SessionFate[] {
  const dropped: SessionFate[] = [];
  /** The sessions that are on the channel, each with the event since which it is. */
  const live = new Map<string, FlightEvent>();
  const lagged = new Map<string, FlightEvent>();
  for (const event of all) {
    const { what, who } = event;
    if (what === 'live') live.set(who, event);
    else if (what === 'left' || what === 'disconnected') live.delete(who);
    else if (what === 'lagged') {
      const since = live.get(who);
      live.delete(who);
      // The session was on the channel when the message left. What the channel had flushed by then may include the
      // message or not, because a drop is noticed in the middle of a flush.
      const wasThere = since === undefined || since.to < offset || since.epoch < flushed.epoch;
      if (wasThere && event.at >= flushed.at && event.to >= flushed.from - 1) lagged.set(who, event);
    } else if ((what === 'joined' || what === 'joinedAnew') && lagged.has(who)) {
      // The position from which it came back says what it has.
      if (event.to < offset) dropped.push(fateOf(lagged.get(who) as FlightEvent));
      lagged.delete(who);
    }
  }
  for (const event of lagged.values()) if (event.to <= flushed.to) dropped.push(fateOf(event));
  return dropped;
}

/** @param events the events of the session on the channel */
function judgeSession(
  events: readonly FlightEvent[],
  flushed: FlightEvent | undefined,
  { epoch, offset }: Sought,
): SessionVerdict {
  const told = events.slice(-MAX_FATES).map(({ at, what, from, to }) => ({ at, what, from, to }));
  return { ...verdictOf(events, flushed, epoch, offset), events: told };
}

function verdictOf(
  events: readonly FlightEvent[],
  flushed: FlightEvent | undefined,
  epoch: number,
  offset: number,
): Pick<SessionVerdict, 'verdict' | 'at'> {
  const isAtOrBehind = (event: FlightEvent) => event.epoch > epoch || (event.epoch === epoch && event.to >= offset);
  const replayed = events.find((event) => event.what === 'replayed' && covers(event, epoch, offset));
  let verdict: Pick<SessionVerdict, 'verdict' | 'at'> = { verdict: 'unknown' };
  let isLive = false;
  for (const event of events) {
    const { what, at } = event;
    if (what === 'joined' && isAtOrBehind(event) && verdict.verdict === 'unknown') verdict = { verdict: 'behind', at };
    else if (what === 'joined' && !isAtOrBehind(event) && verdict.verdict === 'sent')
      verdict = { verdict: 'dropped', at };
    else if (what === 'joined' && isAtOrBehind(event) && verdict.verdict === 'dropped' && flushed)
      verdict = { verdict: 'sent', at: flushed.at };
    else if (what === 'joinedAnew' && isAtOrBehind(event) && verdict.verdict !== 'sent')
      verdict = { verdict: 'reset', at };
    else if (what === 'live') {
      isLive = true;
      if (isAtOrBehind(event)) continue;
      verdict = { verdict: 'waiting', at };
      if (flushed && flushed.at >= at) verdict = { verdict: 'sent', at: flushed.at };
    } else if (what === 'left' || what === 'disconnected') {
      if (isLive && !isAtOrBehind(event)) verdict = { verdict: 'gone', at };
      isLive = false;
    } else if (what === 'lagged') {
      isLive = false;
      // It was amid what was sent when something was dropped: where the client comes back from tells whether it was this.
      const isAmid = flushed && event.to <= flushed.to;
      if (verdict.verdict === 'waiting' || (verdict.verdict === 'sent' && isAmid)) verdict = { verdict: 'dropped', at };
    }
  }
  return replayed ? { verdict: 'replayed', at: replayed.at } : verdict;
}
