/**
 * `node scripts/notices.mjs`: writes THIRD-PARTY-NOTICES.md, the licenses of everything that is installed for
 * production. With `--check` it only fails if the page is out of date. The tree is that of package-lock.json, so that
 * the page is the same on every platform. The texts are those of the installed packages.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fail, root } from './workspace.mjs';

const NOTICES = path.join(root, 'THIRD-PARTY-NOTICES.md');

const INTRODUCTION = `# Third-party notices

What Fanfare installs for production, with the licenses. Written by \`node scripts/notices.mjs\`.
`;

if (!process.argv.includes('--check')) writeFileSync(NOTICES, render());
else if (readFileSync(NOTICES, 'utf8') !== render())
  fail('THIRD-PARTY-NOTICES.md is out of date: node scripts/notices.mjs');

function render() {
  const packages = productionPackages();
  const rows = packages.map(({ name, version, license }) => `| ${name} | ${version} | ${license} |`);
  const table = ['| package | version | license |', '| --- | --- | --- |', ...rows].join('\n');
  const texts = new Map();
  for (const { name, text } of packages) {
    if (text) texts.set(text, [...(texts.get(text) ?? []), name]);
  }
  const sections = [...texts].map(([text, names]) => `## ${names.join(', ')}\n\n\`\`\`\`text\n${text}\n\`\`\`\`\n`);
  return [INTRODUCTION, `${table}\n`, ...sections].join('\n');
}

function productionPackages() {
  const { packages } = JSON.parse(readFileSync(path.join(root, 'package-lock.json'), 'utf8'));
  return Object.entries(packages)
    .filter(([where, entry]) => where.includes('node_modules/') && !entry.dev && !entry.devOptional && !entry.link)
    .map(([where, entry]) => {
      const name = entry.name ?? where.slice(where.lastIndexOf('node_modules/') + 'node_modules/'.length);
      // A binary for one platform may not be installed here. It is under the license of its parent.
      const text = entry.os ? undefined : licenseText(path.join(root, where), entry.license);
      return {
        name,
        version: entry.version,
        license: text?.startsWith('Apache License') ? 'Apache-2.0' : entry.license,
        text,
      };
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/**
 * Returns the text of a license, or `undefined` if the package has no text of its own but only the name of a license
 * that everyone knows.
 */
function licenseText(folder, named) {
  const file = readdirSync(folder).find((name) => /^(licen[cs]e|copying)(\.(md|txt))?$/i.test(name));
  if (!file && named) return undefined;
  if (!file) throw new Error(`${path.basename(folder)} has no license file`);
  const text = readFileSync(path.join(folder, file), 'utf8').replaceAll('\r', '');
  return text
    .replace(/^[ \t]*\n/gm, '\n')
    .replace(/\n{3,}/g, '\n\n')
    .replace(/[ \t]+$/gm, '')
    .trim();
}
