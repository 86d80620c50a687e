/** `node scripts/metrics-docs.mjs`: writes the table of docs/OBSERVABILITY.md from the metrics of the gateway. Build first. */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { root } from './workspace.mjs';

const PAGE = path.join(root, 'docs', 'OBSERVABILITY.md');

const { withMetricsTable } = await import(pathToFileURL(path.join(root, 'gateway/dist/observability/docs.js')).href);
writeFileSync(PAGE, await withMetricsTable(readFileSync(PAGE, 'utf8')));
