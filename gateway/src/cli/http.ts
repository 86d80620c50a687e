/** Calls of the HTTP API by commands. */

interface Asked {
  readonly key: string;
  /** The JSON body of a POST. Absent: the request is a GET. */
  readonly body?: string;
}

/**
 * Makes a request, and resolves with the body of the answer. @throws {Error} with one line, if nobody answers or the
 * gateway refuses
 */
export async function ask(url: URL, { key, body }: Asked): Promise<string> {
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
  const response = await fetch(url, body === undefined ? { headers } : { method: 'POST', headers, body }).catch(
    (error: Error) => {
      const { cause } = error;
      const why = cause instanceof Error ? cause.message || (cause as NodeJS.ErrnoException).code : undefined;
      throw new Error(`no gateway answers at ${url.origin}: ${why ?? error.message}`, { cause: error });
    },
  );
  const text = await response.text();
  if (!response.ok) throw new Error(problemLine(text) ?? `the gateway answered ${response.status}`);
  return text;
}

function problemLine(text: string): string | undefined {
  try {
    const { code, detail } = JSON.parse(text) as { code?: unknown; detail?: unknown };
    return typeof code === 'string' ? `${code}: ${String(detail)}` : undefined;
  } catch {
    return undefined;
  }
}
