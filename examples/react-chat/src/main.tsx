import { StrictMode, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { Chat } from './chat';
import { clientFor, FanfareProvider } from './client';
import './style.css';

function App() {
  // A reload keeps who this tab is.
  const [name, setName] = useState(sessionStorage.getItem('name'));
  const [room] = useState(location.hash.slice(1) || 'lobby');
  if (name === null)
    return (
      <form
        action={(fields) => {
          const name = String(fields.get('name'));
          sessionStorage.setItem('name', name);
          setName(name);
        }}
      >
        <input name="name" aria-label="Your name" placeholder="Your name" required />
        <button type="submit">Come in</button>
      </form>
    );
  return (
    <FanfareProvider client={() => clientFor(name)}>
      <Chat room={room} />
    </FanfareProvider>
  );
}

createRoot(document.getElementById('root') as HTMLElement).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
