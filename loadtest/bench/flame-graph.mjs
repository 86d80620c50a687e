/** Draws what `perf script` prints as a flame graph: an SVG that needs nothing else. */

const WIDTH = 1_200;
const ROW = 16;
const TOP = 56;
/** Boxes that are narrower than this share of all samples are left out, with what stands on them. */
const LEAST_SHARE = 0.002;
/** Width of a character of the font, px. */
const CHARACTER = 6.6;

/** Whose code a frame is, by the file that perf found it in or by its name: the first that matches. */
const OWNERS = [
  { name: 'kernel', colour: '#e9b872', isOf: ({ file }) => /^\[(guest\.)?kernel/.test(file) },
  { name: 'uWebSockets.js', colour: '#8ab6d6', isOf: ({ file }) => /uws.*\.node$/.test(file) },
  {
    name: 'JavaScript',
    colour: '#9ccc8f',
    isOf: ({ symbol }) => /^(JS|LazyCompile|Function|Eval|Script):/.test(symbol),
  },
  { name: 'V8, Node.js, libc', colour: '#c9c3bb', isOf: () => true },
];

/**
 * @param {string} samples the output of `perf script -F comm,ip,sym,dso`
 * @param {string} title
 * @returns {string} an SVG document
 */
export function flameGraph(samples, title) {
  const root = { name: 'all', owner: OWNERS.at(-1), count: 0, children: new Map() };
  for (const sample of samples.split('\n\n')) add(root, framesOf(sample));
  const boxes = [];
  const depth = lay(root, 0, 0, root.count, boxes);
  const height = TOP + (depth + 1) * ROW + 8;
  const drawn = boxes.map((box) => draw(box, root.count, height - 8)).join('\n');
  const legend = OWNERS.map(({ name, colour }, index) => {
    const share = Math.round((100 * selfOf(root, name)) / root.count);
    const x = 10 + index * 220;
    return `<rect x="${x}" y="30" width="12" height="12" fill="${colour}"/><text x="${x + 18}" y="41">${name}: ${share} %</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="monospace" font-size="11">
<title>${xmlText(title)}</title>
<rect width="100%" height="100%" fill="#fff"/>
<text x="10" y="20" font-size="14">${xmlText(title)}</text>
${legend.join('\n')}
${drawn}
</svg>
`;
}

/** The frames of a sample, the outermost first. */
function framesOf(sample) {
  const frames = [];
  for (const line of sample.split('\n')) {
    const [, symbol, file] = /^\s+[0-9a-f]+ (.+) \(([^()]*(?:\([^()]*\))?)\)$/.exec(line) ?? [];
    if (symbol === undefined) continue;
    const owner = OWNERS.find(({ isOf }) => isOf({ symbol, file }));
    frames.push({ name: shortName(symbol, owner), owner });
  }
  return frames.reverse();
}

/** Names without addresses, parameters and folders: `JS:*#flush file:///…/hub/send-scheduler.js:120:10` is `#flush hub/send-scheduler.js`. */
function shortName(symbol, owner) {
  if (owner.name === 'JavaScript') {
    const [, name, file] = /^\w+:[*^~]?(\S*)(?: (\S+?)(?::\d+)*)?$/.exec(symbol) ?? [];
    if (name === undefined) return symbol.split(/[ /]/)[0];
    const place = (file ?? '').split('/').slice(-2).join('/');
    return `${name || '(anonymous)'} ${place}`.trim();
  }
  // The addon has few symbols: perf names what it finds in it by the nearest one.
  if (owner.name === 'uWebSockets.js' || symbol === '[unknown]') return owner.name;
  return symbol
    .replace(/\(.*$/, '')
    .replace(/<.*$/, '')
    .replace(/\+0x[0-9a-f]+$/, '');
}

function add(root, frames) {
  if (frames.length === 0) return;
  root.count++;
  let at = root;
  for (const { name, owner } of frames) {
    // Frames of a library without symbols are one box, however deep.
    if (at.name === name && at.owner === owner) continue;
    const key = `${owner.name} ${name}`;
    let child = at.children.get(key);
    if (!child) {
      child = { name, owner, count: 0, children: new Map() };
      at.children.set(key, child);
    }
    child.count++;
    at = child;
  }
}

/** Samples that ended in code of this owner. */
function selfOf(node, owner) {
  const children = [...node.children.values()];
  const own = node.owner.name === owner ? node.count - children.reduce((sum, { count }) => sum + count, 0) : 0;
  return own + children.reduce((sum, child) => sum + selfOf(child, owner), 0);
}

/** Finds the place of each box. Returns the greatest depth. */
function lay(node, depth, from, all, boxes) {
  if (node.count / all < LEAST_SHARE) return 0;
  boxes.push({ node, depth, from });
  let deepest = depth;
  let at = from;
  for (const child of [...node.children.values()].sort((a, b) => b.count - a.count)) {
    deepest = Math.max(deepest, lay(child, depth + 1, at, all, boxes));
    at += child.count;
  }
  return deepest;
}

function draw({ node, depth, from }, all, bottom) {
  const scale = (WIDTH - 20) / all;
  const x = 10 + from * scale;
  const width = node.count * scale;
  const y = bottom - (depth + 1) * ROW;
  const share = `${((100 * node.count) / all).toFixed(1)} %`;
  const room = Math.floor((width - 6) / CHARACTER);
  const label = node.name.length > room ? `${node.name.slice(0, Math.max(0, room - 1))}…` : node.name;
  const text = room > 3 ? `<text x="${(x + 3).toFixed(1)}" y="${y + 12}">${xmlText(label)}</text>` : '';
  return `<g><title>${xmlText(node.name)}: ${share}</title><rect x="${x.toFixed(1)}" y="${y}" width="${width.toFixed(1)}" height="${ROW - 1}" fill="${node.owner.colour}"/>${text}</g>`;
}

function xmlText(text) {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
