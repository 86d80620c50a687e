/** The certificate that a gateway shows where it speaks TLS itself, and the key to it, in files that somebody renews. */
import { X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import type { CertificateFiles } from './transport.js';

interface Certificate {
  readonly cert: Buffer;
  readonly key: Buffer;
  /** When it ends, ms since the Unix epoch. */
  readonly endsAtMs: number;
  /** Whom it is for, as it says itself: `DNS:app.example.com, DNS:*.example.com`. */
  readonly names: string;
}

/** @throws with one line that names the file, if one can't be read or the two are not a pair. */
export function readCertificate({ cert: certFile, key: keyFile }: CertificateFiles): Certificate {
  const cert = read('tls.cert', certFile);
  const key = read('tls.key', keyFile);
  try {
    createSecureContext({ cert, key });
    const first = new X509Certificate(cert);
    return { cert, key, endsAtMs: Date.parse(first.validTo), names: first.subjectAltName ?? first.subject };
  } catch (error) {
    const { message } = error as Error;
    const why = /mismatch/.test(message) ? 'the key is not that of the certificate' : message;
    throw new Error(`tls.cert ${certFile} and tls.key ${keyFile} can't be used: ${why}`);
  }
}

function read(setting: string, file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new Error(`${setting}: ${(error as Error).message}`);
  }
}

/** Differs once a file has changed, also where a link now leads elsewhere, as Kubernetes and certbot renew. */
export function fingerprintOf({ cert, key }: CertificateFiles): string {
  return [cert, key]
    .map((file) => statSync(file, { throwIfNoEntry: false }))
    .map((stat) => `${stat?.ino}/${stat?.mtimeMs}/${stat?.size}`)
    .join(' ');
}
