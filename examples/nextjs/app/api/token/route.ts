import { signToken } from '@fanfare/client/tokens';
import { channels } from '../../../lib/channels';

/** Who may read what. Here you would look at the session of whoever asks; who is not logged in gets a 401. */
export async function GET(): Promise<Response> {
  const token = await signToken({
    key: process.env.FANFARE_JWT_SECRET as string,
    user: 'ada',
    expiresInS: 900,
    channels,
    grants: { 'demo:orders': ['subscribe', 'history'] },
  });
  return new Response(token, { headers: { 'cache-control': 'no-store' } });
}
