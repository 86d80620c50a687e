/**
 * What compiles of the typed surface, and what must not: `//! 2345 "chatt:1"` says that the next line is
 * error TS2345 with that text in it. Read by `types.test.ts`; no part of any build.
 */
import {
  type ChannelName,
  type Client,
  createClient,
  defineChannels,
  durable,
  type FanfareClientError,
  type KeyOf,
  type Live,
  live,
  type Position,
  type Subscription,
  stream,
} from '@fanfare/client';
import { createPublisher } from '@fanfare/client/publisher';
import { createHooks } from '@fanfare/client/react';
import { messagesStore, presenceStore } from '@fanfare/client/store';
import { signToken } from '@fanfare/client/tokens';
import { type } from 'arktype';
import * as v from 'valibot';
import { z } from 'zod';

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const same = <A, B>(_: Equal<A, B>): void => {};

// ------------------------------------------------------------------ one map, three validator libraries
const Chat = z.object({ text: z.string(), at: z.string().transform((text) => new Date(text)) });
const Vip = v.object({ text: v.string(), level: v.picklist(['gold', 'black']) });
const Tick = type({ symbol: 'string', price: 'number' });

export const channels = defineChannels({
  'chat:*': durable(Chat, { tags: { lang: ['en', 'de'], kind: ['text', 'image'] } }),
  'chat:vip:*': durable(Vip),
  'chat:lobby': durable<{ motd: string }>(),
  'price:*': live(Tick),
  'ai:*': stream<{ model: string }>(),
  'room:*': durable(Chat, { presence: z.object({ typing: z.boolean() }) }),
  system: z.object({ notice: z.string() }),
});
type Map = typeof channels;

// ------------------------------------------------------------------ names
same<
  ChannelName<Map>,
  | `chat:${string}`
  | `chat:vip:${string}`
  | 'chat:lobby'
  | `price:${string}`
  | `ai:${string}`
  | `room:${string}`
  | 'system'
>(true);
same<KeyOf<Map, 'chat:1'>, 'chat:*'>(true);
same<KeyOf<Map, 'chat:vip:1'>, 'chat:vip:*'>(true); // the longest prefix
same<KeyOf<Map, 'chat:lobby'>, 'chat:lobby'>(true); // an exact name first
same<KeyOf<Map, 'chat:lobby2'>, 'chat:*'>(true);
same<KeyOf<Map, 'chat:1' | 'price:x'>, 'chat:*' | 'price:*'>(true);
same<KeyOf<Map, `chat:vip:${string}`>, 'chat:vip:*'>(true);
same<KeyOf<Map, `chat:${string}`>, 'chat:*' | 'chat:vip:*' | 'chat:lobby'>(true); // the id may be "vip:1"
same<KeyOf<Map, `chat:${number}`>, 'chat:*'>(true); // a number cannot
same<KeyOf<Map, `chat:r-${string}`>, 'chat:*'>(true); // nor what begins otherwise
same<KeyOf<Map, `chat:v${string}:x`>, 'chat:*' | 'chat:vip:*'>(true);
same<KeyOf<{ '*': 1; a: 2; 'a*': 3; 'ab:*': 4 }, 'a' | 'b'>, 'a' | '*'>(true); // a pattern may be a lone `*`
same<KeyOf<{ '*': 1; a: 2; 'a*': 3; 'ab:*': 4 }, 'ab' | `${string}:x`>, 'a*' | '*' | 'ab:*'>(true);
same<KeyOf<{ '*': 1; a: 2; 'a:*': 3 }, `b${string}`>, '*'>(true);
// A name may be 255 characters long, and so may the beginning of one that is computed.
type Twenty = 'organisation-twenty:';
type Long =
  `chat:vip:${Twenty}${Twenty}${Twenty}${Twenty}${Twenty}${Twenty}${Twenty}${Twenty}${Twenty}${Twenty}${Twenty}`;
same<KeyOf<Map, Long>, 'chat:vip:*'>(true);
same<KeyOf<Map, `${Long}${string}`>, 'chat:vip:*'>(true);

const client = createClient({ url: '/ws', channels });
declare const id: string;
declare const room: number;

client.channel('chat:1');
client.channel(`price:${id}`);
client.channel('system');
//! 2345 '"chatt:1"' is not assignable
client.channel('chatt:1');
//! 2345 '"systems"' is not assignable
client.channel('systems');
//! 2345 'string' is not assignable
client.channel(id);
client
  .untyped<{ n: number }>(id)
  .subscribe(({ data, offset }) => same<typeof offset, number | undefined>(data.n > 0 || true));

// ------------------------------------------------------------------ data: what validators give, and take
client.channel('chat:1').subscribe((message) => {
  same<typeof message.data, { text: string; at: Date }>(true);
  same<typeof message.offset, number>(true); // there for certain: it is durable
  //! 2551 'txt' does not exist
  message.data.txt;
});
client.channel('chat:vip:1').subscribe(({ data }) => same<typeof data.level, 'gold' | 'black'>(true));
client.channel('chat:lobby').subscribe(({ data }) => same<typeof data, { motd: string }>(true));
client.channel('price:AAPL').subscribe((message) => {
  same<typeof message.data, { symbol: string; price: number }>(true);
  //! 2339 'offset' does not exist
  message.offset;
});
for await (const { data } of client.channel('chat:1').subscribe()) same<typeof data.at, Date>(true);
for await (const { data } of client.channel('chat:1').subscribe({ rewind: 5 })) same<typeof data.at, Date>(true);

void client.channel('chat:1').publish({ text: 'hi', at: '2026-01-01T00:00:00Z' }); // the input, not the output
//! 2322 'Date' is not assignable to type 'string'
void client.channel('chat:1').publish({ text: 'hi', at: new Date() });
//! 2345|2741 Property 'at' is missing
void client.channel('chat:1').publish({ text: 'hi' });
void client.channel('chat:1').publish({ text: 'hi', at: '' }, { tags: { lang: 'en' } });
//! 2322 '"fr"' is not assignable
void client.channel('chat:1').publish({ text: 'hi', at: '' }, { tags: { lang: 'fr' } });
void client.channel('system').publish({ notice: '' }, { tags: { any: 'tag' } }); // none declared: any

// A computed name: ids that are numbers are exact, others are a union.
client.channel(`chat:${room}`).subscribe(({ data }) => same<typeof data, { text: string; at: Date }>(true));
client.channel('chat:*', id).subscribe(({ data }) => same<typeof data, { text: string; at: Date }>(true));
//! 2345 '{ text: string; at: string; }' is not assignable to parameter
void client.channel(`chat:${id}`).publish({ text: 'hi', at: '' });

// ------------------------------------------------------------------ kinds
const page = await client.channel('chat:1').history({ limit: 10 });
same<(typeof page.messages)[number]['data']['at'], Date>(true);
const published = await client.channel('chat:1').publish({ text: '', at: '' });
same<typeof published.offset, number>(true);
//! 2339 'offset' does not exist
(await client.channel('price:AAPL').publish({ symbol: '', price: 1 })).offset;
//! 2339 'history' does not exist
client.channel('price:AAPL').history();
//! 2322 Type 'number' is not assignable to type 'undefined'
client.channel('price:AAPL').subscribe(() => {}, { rewind: 10 });
client.channel('chat:1').subscribe(() => {}, { rewind: 10 });
client.channel('chat:1').subscribe(() => {}, { since: published });
client
  .channel('chat:1')
  .subscribe()
  .on('reset', ({ reason }) => same<typeof reason, 'expired' | 'unrecoverable' | 'diverged'>(true));
const ticks = client.channel('price:AAPL').subscribe();
//! 2345 '"reset"' is not assignable
ticks.on('reset', () => {});
for await (const told of client.channel('chat:1').subscribe().events()) {
  if (told.type === 'reset') same<typeof told.event.previous, Position>(true);
  if (told.type === 'message') same<typeof told.event.data.at, Date>(true);
  //! 2367 have no overlap
  if (told.type === 'restart') break;
}
same<(typeof channels)['ai:*']['kind'], 'stream'>(true);
client.channel('ai:1').subscribe(({ data }) => same<typeof data, { model: string }>(true));

// ------------------------------------------------------------------ mistakes in the map itself
//! 2375|2322 "data.at"
defineChannels({ 'a:*': durable(z.object({ at: z.date() })) });
//! 2375|2322 "data.list[].m"
defineChannels({ 'a:*': durable<{ list: { m: globalThis.Map<string, 1> }[] }>() });
//! 2375|2322 "a:*:b"
defineChannels({ 'a:*:b': durable<string>() });
defineChannels({ 'a:*': durable<{ bytes: Uint8Array; maybe?: string; list: readonly number[] }>() });
interface Tree {
  readonly children: readonly Tree[];
}
defineChannels({ 'a:*': durable<Tree>() });

// ------------------------------------------------------------------ types alone, without validators
interface Channels {
  'chat:*': { text: string };
  'cursor:*': Live<{ x: number; y: number }>;
  system: { notice: string };
}
const plain: Client<Channels> = createClient<Channels>({ url: '/ws' });
plain
  .channel('chat:1')
  .subscribe(({ data, offset }) => same<[typeof data, typeof offset], [{ text: string }, number]>(true));
plain.channel('cursor:1').subscribe(({ data }) => same<typeof data, { x: number; y: number }>(true));
//! 2345 '"curser:1"' is not assignable
plain.channel('curser:1');
//! 2339 'history' does not exist
plain.channel('cursor:1').history();

// ------------------------------------------------------------------ no map: names are any
const loose: Client = createClient({ url: '/ws' });
loose.channel(id).subscribe(({ data }) => same<typeof data, unknown>(true));
loose.channel<{ n: number }>(id).subscribe(({ data, offset }) => data.n + (offset ?? 0));
loose.on('error', (error: FanfareClientError) => error.issues?.[0]?.message);

// ------------------------------------------------------------------ backends: publisher and tokens
const backend = createPublisher({ url: 'https://gateway', apiKey: '', channels });
same<Awaited<ReturnType<typeof backend.publish<'chat:1'>>>['offset'], number>(true);
await backend.publish('chat:1', { text: '', at: '' });
//! 2345 '"caht:1"' is not assignable
await backend.publish('caht:1', { text: '', at: '' });
//! 2322 Type 'Date' is not assignable to type 'string'
await backend.publish('chat:1', { text: '', at: new Date() });
//! 2339 'offset' does not exist
(await backend.publish('price:AAPL', { symbol: '', price: 1 })).offset;
await backend.publishTo(['chat:1', 'chat:2'], { text: '', at: '' });
await backend.publishAll([backend.message('chat:1', { text: '', at: '' })]);
//! 2741 '[CHECKED]' is missing
await backend.publishAll([{ channel: 'chat:1', data: 1 }]);
const anything = createPublisher({ url: 'https://gateway', apiKey: '' });
same<Awaited<ReturnType<typeof anything.publish>>['offset'], number | undefined>(true);
const key = '';
await signToken({
  key,
  expiresInS: 1,
  channels,
  grants: { 'chat:*': ['subscribe', 'history'], 'price:AAPL': ['publish'] },
});
//! 2769 ''caht:*'' does not exist
await signToken<typeof channels>({ key, expiresInS: 1, grants: { 'caht:*': ['subscribe'] } });
//! 2769 '"history"' is not assignable
await signToken<typeof channels>({ key, expiresInS: 1, grants: { 'price:*': ['history'] } });
await signToken({ key, expiresInS: 1, grants: { 'any:*': ['subscribe'] } });
//! 2769 '"read"' is not assignable
await signToken({ key, expiresInS: 1, grants: { 'any:*': ['read'] } });

// ------------------------------------------------------------------ presence
const { presence } = client.channel('room:1').subscribe({ presence: true });
same<(typeof presence.members)[number]['info'], { typing: boolean } | undefined>(true); // there: it was asked for
presence.on('join', ({ info }) => same<typeof info, { typing: boolean } | undefined>(true));
//! 2345 '"jion"' is not assignable
presence.on('jion', () => {});
client.channel('price:AAPL').subscribe(({ data }) => data.price, { presence: true }).presence.synced;
client.channel('room:1').subscribe({ rewind: 5, presence: true }).presence.members.length;
loose.channel(id).subscribe({ presence: true }).presence.members.length;
const without = client.channel('room:1').subscribe(() => {}, { rewind: 5 });
same<typeof without.presence, undefined>(true); // nor where it was not
//! 2532 Object is possibly 'undefined'
client.channel('room:1').subscribe({ presence: Boolean(id) }).presence.members;
//! 2769 'presense' does not exist
client.channel('room:1').subscribe({ presense: true });
const roomers = presenceStore(client, client.channel('room:1'));
const kept: Subscription = loose.channel(id).subscribe({ presence: true });
kept.presence?.members;
same<ReturnType<typeof roomers.getSnapshot>['members'][number]['info'], { typing: boolean } | undefined>(true);
const [someone] = await client.channel('price:AAPL').presence();
same<NonNullable<typeof someone>['info'], unknown>(true);

// ------------------------------------------------------------------ stores and hooks
const lines = messagesStore(client.channel('chat:1'));
same<ReturnType<typeof lines.getSnapshot>['messages'][number]['data'], { text: string; at: Date }>(true);
const { useMessages, useLatest, useChannelState } = createHooks<Map>();
export function Component(): void {
  const latest = useLatest('chat:1');
  same<NonNullable<typeof latest>['data'], { text: string; at: Date }>(true);
  //! 2345 '"chatt:1"' is not assignable
  useMessages('chatt:1');
  const load = async () => ({ state: 0, position: published });
  const counted = useChannelState('chat:1', { load, apply: (state, { data }) => state + data.text.length });
  same<typeof counted.state, number | undefined>(true);
  //! 2345 '"price:1"' is not assignable
  useChannelState('price:1', { load, apply: () => 0 });
}
