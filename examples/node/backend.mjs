/**
 * A backend: gives a logged-in user a token, and publishes what users say.
 *
 *   node backend.mjs        (FANFARE_URL, FANFARE_API_KEY, FANFARE_JWT_SECRET, PORT)
 *
 *   curl localhost:3000/token?user=ada
 *   curl -d '{"user":"ada","text":"hello"}' localhost:3000/say
 */
import { createServer } from 'node:http';
import { createPublisher } from '@fanfare/client/publisher';
import { signToken } from '@fanfare/client/tokens';

const {
  FANFARE_URL = 'http://localhost:8080',
  FANFARE_API_KEY = 'dev',
  FANFARE_JWT_SECRET,
  PORT = '3000',
} = process.env;
const publisher = createPublisher({ url: FANFARE_URL, apiKey: FANFARE_API_KEY });

async function answer(request) {
  const { pathname, searchParams } = new URL(request.url, 'http://backend');
  if (pathname === '/token') {
    // Here you would look at your own session cookie instead.
    const grants = { 'demo:chat': ['subscribe', 'history'] };
    return {
      token: await signToken({ key: FANFARE_JWT_SECRET, user: searchParams.get('user'), expiresInS: 3600, grants }),
    };
  }
  if (pathname === '/say' && request.method === 'POST') {
    let body = '';
    for await (const chunk of request) body += chunk;
    const { user, text } = JSON.parse(body);
    // Stored once, whatever is sent again; throws if it is not known to be stored.
    const { epoch, offset } = await publisher.publish('demo:chat', { text }, { user });
    return { epoch, offset };
  }
  return undefined;
}

const server = createServer((request, response) => {
  answer(request).then(
    (body) => response.writeHead(body ? 200 : 404).end(`${JSON.stringify(body ?? {})}\n`),
    (error) => response.writeHead(500).end(`${JSON.stringify({ error: error.code ?? error.message })}\n`),
  );
});
server.listen(Number(PORT), () => process.stdout.write(`http://localhost:${server.address().port}\n`));
process.once('SIGTERM', async () => {
  server.close();
  await publisher.close();
  process.exit(0);
});
