/** How `fanfare config` shows what is secret. */
const HIDDEN = '***';

/** A secret whose presence alone is told. */
export function hide(_secret: unknown): string {
  return HIDDEN;
}

/** `redis://user:secret@host` to `redis://***@host`. All before the last `@` goes, and the query. */
export function hideCredentials(url: string): string {
  return url.replace(/\/\/.*@/, `//${HIDDEN}@`).replace(/\?.*$/, `?${HIDDEN}`);
}
