/** How `fanfare config` shows what is secret. */
const HIDDEN = '***';

/** Shows a secret by its presence alone. */
export function hide(_secret: unknown): string {
  return HIDDEN;
}

/**
 * Hides the credentials in a URL: `redis://user:secret@host` becomes `redis://***@host`. Everything before the last `@`
 * is hidden, and so is the query.
 */
export function hideCredentials(url: string): string {
  return url.replace(/\/\/.*@/, `//${HIDDEN}@`).replace(/\?.*$/, `?${HIDDEN}`);
}
