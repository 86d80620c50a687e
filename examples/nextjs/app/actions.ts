'use server';
import { publisher } from '../lib/publisher';

export async function takeOrder(fields: FormData): Promise<void> {
  // Stored once, whatever has to be sent again; what cannot be stored throws.
  await publisher.publish('demo:orders', { order: String(fields.get('order')), status: 'taken' });
}
