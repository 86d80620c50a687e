import { type FormEvent, useState } from 'react';
import { useClient, useConnection, useMessages, usePresence } from './client';

export function Chat({ room }: { room: string }) {
  const { messages, status, loadOlder } = useMessages(`demo:room:${room}`, { rewind: 20 });
  const [hasOlder, setHasOlder] = useState(true);
  return (
    <main aria-busy={status !== 'subscribed'}>
      <Connection />
      <Present room={room} />
      {hasOlder && (
        <button type="button" onClick={async () => setHasOlder(await loadOlder(20))}>
          Older messages
        </button>
      )}
      <ol>
        {messages.map(({ offset, user, data }) => (
          <li key={offset}>
            <b>{user}</b> <span>{data.text}</span>
          </li>
        ))}
      </ol>
      <Say room={room} />
    </main>
  );
}

function Say({ room }: { room: string }) {
  const client = useClient();
  const [text, setText] = useState('');
  const [unsent, setUnsent] = useState<string>();
  const say = async (event: FormEvent) => {
    event.preventDefault();
    setText('');
    setUnsent(undefined);
    try {
      // Waits for a connection, and is stored once however often the network breaks meanwhile.
      await client.channel(`demo:room:${room}`).publish({ text });
    } catch (error) {
      setUnsent(`“${text}” was not sent: ${(error as Error).message}`);
    }
  };
  return (
    <form onSubmit={say}>
      <input aria-label="Message" value={text} onChange={(event) => setText(event.target.value)} required />
      <button type="submit">Say</button>
      {unsent && <p role="alert">{unsent}</p>}
    </form>
  );
}

function Present({ room }: { room: string }) {
  const { members } = usePresence(`demo:room:${room}`);
  return <p id="present">Here: {members.map(({ user }) => user).join(', ')}</p>;
}

function Connection() {
  const { state, retryInMs, error } = useConnection();
  if (state === 'connected') return <p role="status">Connected</p>;
  const next = retryInMs === undefined ? '' : `, trying again in ${Math.ceil(retryInMs / 1000)} s`;
  return <p role="status">{`${state}${next}${error ? ` (${error.message})` : ''}`}</p>;
}
