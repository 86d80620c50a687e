'use client';
import { client } from '../lib/client';
import { FanfareProvider, useConnection, useMessages } from '../lib/hooks';

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
