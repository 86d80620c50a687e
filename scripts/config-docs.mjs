/** `node scripts/config-docs.mjs`: writes the tables of docs/CONFIGURATION.md from those of the gateway. Build first. */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { root } from './workspace.mjs';

const PAGE = path.join(root, 'docs', 'CONFIGURATION.md');

const { withTables } = await import(pathToFileURL(path.join(root, 'gateway/dist/config/docs.js')).href);
writeFileSync(PAGE, withTables(readFileSync(PAGE, 'utf8')));
