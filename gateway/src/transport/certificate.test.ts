import { copyFileSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { CertificateFolder } from '../../test/support/certificates.js';
import { fingerprintOf, readCertificate } from './certificate.js';

function makeCertificate(commonName: string): CertificateFolder {
  const made = new CertificateFolder();
  onTestFinished(() => made.remove());
  made.renew(commonName);
  return made;
}

it('tells whom a certificate is for, and until when', () => {
  const { names, endsAtMs } = readCertificate(makeCertificate('one'));
  expect(names).toBe('DNS:localhost, IP Address:127.0.0.1');
  expect(Math.abs(endsAtMs - Date.now() - 2 * 86_400_000)).toBeLessThan(60_000);
});

it('says which file is not there, is none, or not of the other', () => {
  const files = makeCertificate('one');
  expect(() => readCertificate({ ...files, cert: '/nowhere', key: files.key })).toThrow(/^tls\.cert: .*\/nowhere/);
  expect(() => readCertificate({ cert: files.cert, key: '/nowhere' })).toThrow(/^tls\.key: .*\/nowhere/);
  const other = makeCertificate('other');
  expect(() => readCertificate({ cert: files.cert, key: other.key })).toThrow('the key is not that of the certificate');
  writeFileSync(files.cert, 'no certificate');
  expect(() => readCertificate(files)).toThrow(/^tls\.cert .* and tls\.key .* can't be used: /);
});

it('sees that a folder behind a link was exchanged, as Kubernetes renews a Secret', () => {
  const folder = mkdtempSync(join(tmpdir(), 'fanfare-secret-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  for (const name of ['old', 'new']) {
    const { cert, key } = makeCertificate(name);
    mkdirSync(join(folder, name));
    copyFileSync(cert, join(folder, name, 'tls.crt'));
    copyFileSync(key, join(folder, name, 'tls.key'));
  }
  const point = (to: string) => {
    symlinkSync(to, join(folder, 'next'));
    renameSync(join(folder, 'next'), join(folder, 'data'));
  };
  point('old');
  const files = { cert: join(folder, 'data', 'tls.crt'), key: join(folder, 'data', 'tls.key') };
  const before = fingerprintOf(files);
  expect(fingerprintOf(files)).toBe(before);
  point('new');
  expect(fingerprintOf(files)).not.toBe(before);
  rmSync(join(folder, 'new'), { recursive: true });
  expect(fingerprintOf(files)).not.toBe(before);
});
