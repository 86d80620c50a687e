// @vitest-environment happy-dom
/** The adapters of `examples/`, with the frameworks that they are for. */
import { createCollection } from '@tanstack/db';
import { get } from 'svelte/store';
import { describe, expect, it, onTestFinished } from 'vitest';
import { computed, createApp, createSSRApp, h, nextTick, ref } from 'vue';
import { renderToString } from 'vue/server-renderer';
import { toReadable } from '../../examples/svelte/to-readable.js';
import { channelCollection } from '../../examples/tanstack-db/collection.js';
import { storeRef } from '../../examples/vue/store-ref.js';
import { messagesStore } from '../src/store.js';
import { settle } from '../src/testing/index.js';
import { withLogServer } from './support.js';

function aPage() {
  const setup = withLogServer();
  setup.client.connect();
  setup.clock.advance(5);
  /** Lets answers of the gateway come, and a frame. */
  const run = async () => {
    for (let step = 0; step < 3; step++) {
      setup.clock.advance(20);
      await settle();
      await new Promise((done) => setTimeout(done, 25));
    }
  };
  return { ...setup, run };
}

describe('in Vue', () => {
  it('a store is a ref that follows its channel, and another one when that changes', async () => {
    const { client, server, run } = aPage();
    const room = ref('chat:1');
    const component = {
      setup() {
        const view = storeRef(computed(() => messagesStore(client.channel<string>(room.value), { rewind: 5 })));
        return () => h('p', view.value.messages.map(({ data }) => data).join(' '));
      },
    };
    expect(await renderToString(createSSRApp(component))).toBe('<p></p>');
    await run();
    expect(server.membersOf('chat:1')).toEqual([]);
    const container = document.createElement('div');
    const app = createApp(component);
    app.mount(container);
    onTestFinished(() => app.unmount());
    await run();
    server.publish('chat:1', 'a');
    server.publish('chat:2', 'b');
    await run();
    expect(container.textContent).toBe('a');
    room.value = 'chat:2';
    await nextTick();
    await run();
    expect(container.textContent).toBe('b');
    expect(server.membersOf('chat:1')).toEqual([]);
  });
});

describe('in Svelte', () => {
  it('a store is one of its own', async () => {
    const { client, server, run } = aPage();
    const chat = toReadable(messagesStore(client.channel<string>('chat:1'), { rewind: 5 }));
    const seen: string[] = [];
    const off = chat.subscribe(({ messages }) => seen.push(messages.map(({ data }) => data).join(' ')));
    await run();
    for (const text of ['a', 'b']) server.publish('chat:1', text);
    await run();
    expect([seen[0], seen.at(-1), get(chat).messages.length]).toEqual(['', 'a b', 2]);
    off();
    await run();
    expect(server.membersOf('chat:1')).toEqual([]);
  });
});

describe('in TanStack DB', () => {
  it('a collection has the rows and what happens to them; a reset replaces them all', async () => {
    type Row = { id: number; text: string };
    const { client, server, run } = aPage();
    const log = server.log('todos');
    const table = new Map<number, Row>();
    const write = (change: { row: Row } | { gone: number }) => {
      if ('row' in change) table.set(change.row.id, change.row);
      else table.delete(change.gone);
      server.publish('todos', change);
    };
    write({ row: { id: 1, text: 'one' } });
    const todos = createCollection(
      channelCollection<Row, number, { data: { row: Row } | { gone: number } }>({
        channel: client.channel<{ row: Row } | { gone: number }>('todos'),
        load: async () => ({ rows: [...table.values()], position: log.head }),
        getKey: ({ id }) => id,
        change: ({ data }) => data,
      }),
    );
    const rows = () => todos.toArray.map(({ id, text }) => `${id} ${text}`);
    const ready = todos.preload();
    await run();
    await ready;
    expect(rows()).toEqual(['1 one']);
    write({ row: { id: 2, text: 'two' } });
    write({ row: { id: 1, text: 'uno' } });
    await run();
    expect(rows()).toEqual(['1 uno', '2 two']);
    write({ gone: 1 });
    await run();
    expect(rows()).toEqual(['2 two']);
    // The database lost a write, and with it the log.
    table.delete(2);
    server.takeOver('todos', 3);
    await run();
    expect(rows()).toEqual([]);
    write({ row: { id: 3, text: 'three' } });
    await run();
    expect(rows()).toEqual(['3 three']);
    await todos.cleanup();
    await run();
    expect(server.membersOf('todos')).toEqual([]);
  });
});
