import type { LogHead, LogPage, ReadRange } from '../../src/broker/broker.js';
import type { LogRecord } from '../../src/broker/record.js';
import { isBefore } from '../../src/broker/resume.js';

/** What a read of these entries must answer: slow and plain, the model that engines are compared with. */
export function selectPage(view: LogHead & { readonly entries: readonly LogRecord[] }, range: ReadRange): LogPage {
  const backwards = 'before' in range || 'last' in range;
  const wanted = view.entries.filter((entry) => {
    if ('after' in range) return isBefore(range.after, entry);
    if ('before' in range) return isBefore(entry, range.before);
    return 'last' in range || entry.time >= range.sinceTime;
  });
  const nearestFirst = backwards ? wanted.toReversed() : wanted;
  let bytes = 0;
  const page = nearestFirst.filter((entry, index) => {
    bytes += entry.size;
    return index < range.limit && (index === 0 || bytes <= (range.maxBytes ?? Number.POSITIVE_INFINITY));
  });
  return {
    head: view.head,
    lineage: view.lineage,
    entries: backwards ? page.toReversed() : page,
    more: page.length < wanted.length,
  };
}
