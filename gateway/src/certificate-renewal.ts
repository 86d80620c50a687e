/**
 * For a gateway that speaks TLS itself: looks whether its certificate was renewed, and has the transport show the new
 * one.
 */
import { type Cancel, type Clock, every } from './clock.js';
import type { Logger } from './observability/logger.js';
import type { Stats } from './stats.js';
import { fingerprintOf, readCertificate } from './transport/certificate.js';
import type { CertificateFiles, Transport } from './transport/transport.js';

/**
 * A certificate that ends sooner than this is warned of, ms. Certificates are usually renewed weeks before (RFC 8739,
 * Let's Encrypt: 30 days).
 */
const SOON_MS = 7 * 24 * 3_600_000;

interface CertificateRenewalOptions {
  readonly files: CertificateFiles;
  /** How often the files are looked at, ms. */
  readonly checkMs: number;
  readonly transport: Pick<Transport, 'renewCertificate'>;
  readonly clock: Clock;
  readonly stats: Pick<Stats, 'certificateEndSeconds'>;
  readonly logger: Logger;
}

export class CertificateRenewal {
  readonly #options: CertificateRenewalOptions;
  /**
   * Fingerprint of the files that were read last. Files that can't be used are tried again each time, since the other
   * half of the pair may be on its way.
   */
  #seen = '';
  #complaint = '';
  #cancel: Cancel = () => {};

  constructor(options: CertificateRenewalOptions) {
    this.#options = options;
  }

  /** Begins to look. The transport has to be made with what the files hold now. */
  start(): void {
    const { files, clock, checkMs } = this.#options;
    this.#seen = fingerprintOf(files);
    this.#observe();
    this.#cancel = every(clock, checkMs, () => this.#look());
  }

  close(): void {
    this.#cancel();
  }

  #look(): void {
    const { files, transport, logger } = this.#options;
    const found = fingerprintOf(files);
    if (found === this.#seen) return;
    try {
      this.#observe();
      transport.renewCertificate();
      this.#seen = found;
      this.#complaint = '';
    } catch (error) {
      const { message } = error as Error;
      if (message === this.#complaint) return;
      this.#complaint = message;
      logger.error({ reason: message }, 'the renewed certificate cannot be used: clients still get the one before');
    }
  }

  /** @throws {Error} if the files can't be used */
  #observe(): void {
    const { files, clock, stats, logger } = this.#options;
    const { names, endsAtMs } = readCertificate(files);
    stats.certificateEndSeconds = endsAtMs / 1000;
    const facts = { names, endsAt: new Date(endsAtMs).toISOString() };
    if (endsAtMs < clock.wall()) logger.warn(facts, 'the certificate has ended: clients refuse it');
    else if (endsAtMs < clock.wall() + SOON_MS) logger.warn(facts, 'the certificate ends soon');
    else logger.info(facts, 'certificate read');
  }
}
