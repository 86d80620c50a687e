/**
 * The certificate that a gateway shows when it speaks TLS itself, and its key. Both are in files that are renewed from
 * outside.
 */
import { X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import type { CertificateFiles } from './transport.js';

interface Certificate {
  readonly cert: Buffer;
  readonly key: Buffer;
  /** When the certificate expires, ms since the Unix epoch. */
  readonly endsAtMs: number;
  /** The host names that the certificate is valid for, as it states them: `DNS:app.example.com, DNS:*.example.com`. */
  readonly names: string;
}

/**
 * @throws {Error} with one line that names the file, if a file can't be read or if certificate and key do not belong
 * together.
 */
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

/**
 * A text that changes when a file has changed. That includes a symbolic link that now leads to another file, which is
 * how Kubernetes and certbot renew certificates.
 */
export function fingerprintOf({ cert, key }: CertificateFiles): string {
  return [cert, key]
    .map((file) => statSync(file, { throwIfNoEntry: false }))
    .map((stat) => `${stat?.ino}/${stat?.mtimeMs}/${stat?.size}`)
    .join(' ');
}
