/** Certificates made on the spot, by the `openssl` program: nothing secret lies in the repository, and none ever ends. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A pair of files, as a gateway is given them. */
export class CertificateFolder {
  readonly #folder = mkdtempSync(join(tmpdir(), 'fanfare-tls-'));
  readonly cert = join(this.#folder, 'cert.pem');
  readonly key = join(this.#folder, 'key.pem');

  /** Replaces both by a pair for `localhost` and 127.0.0.1 that bears this name, and signs itself. */
  renew(commonName: string): void {
    const [cert, key] = [join(this.#folder, `${commonName}.pem`), join(this.#folder, `${commonName}.key`)];
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
    const names = ['-subj', `/CN=${commonName}`, '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
    const args = ['req', '-x509', ...curve, ...names, '-keyout', key, '-out', cert];
    execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] });
    copyFileSync(cert, this.cert);
    copyFileSync(key, this.key);
  }

  /** Only the certificate is new: the two are no pair. */
  breakPair(): void {
    const key = readFileSync(this.key);
    this.renew('unfinished');
    writeFileSync(this.key, key);
  }

  get text(): string {
    return readFileSync(this.cert, 'utf8');
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true });
  }
}
