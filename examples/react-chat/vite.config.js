import { signToken } from '@fanfare/client/tokens';
import { defineConfig } from 'vite';

const { FANFARE_URL = 'http://localhost:8080', FANFARE_JWT_SECRET, PORT = '3000' } = process.env;

/** What a backend of the page does: says who the user is, in a token that the gateway believes. */
const backend = {
  name: 'backend',
  configureServer({ middlewares }) {
    middlewares.use('/token', async (request, response) => {
      try {
        // Here you would look at your own session cookie instead.
        const name = new URL(request.url, 'http://backend').searchParams.get('name');
        const token = await signToken({
          key: FANFARE_JWT_SECRET,
          user: name,
          info: { name },
          expiresInS: 900,
          grants: { 'demo:room:*': ['subscribe', 'publish', 'history', 'presence'] },
        });
        response.end(token);
      } catch (error) {
        response.statusCode = 500;
        response.end(error.message);
      }
    });
  },
};

export default defineConfig({
  plugins: [backend],
  // The page knows the gateway by its own address, so that nothing about it stands in the page.
  server: { port: Number(PORT), strictPort: true, proxy: { '/ws': { target: FANFARE_URL, ws: true } } },
});
