'use client';
import { client, FanfareProvider, useConnection, useMessages } from '../lib/client';

export function Orders() {
  return (
    <FanfareProvider client={client}>
      <List />
    </FanfareProvider>
  );
}

function List() {
  const { messages } = useMessages('demo:orders', { rewind: 20 });
  const { state } = useConnection();
  return (
    <>
      <p role="status">{state}</p>
      <ul>
        {messages.map(({ offset, data }) => (
          <li key={offset}>
            {data.order}: {data.status}
          </li>
        ))}
      </ul>
    </>
  );
}
