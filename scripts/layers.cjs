/**
 * The layers as docs/ARCHITECTURE.md draws them, as rules for dependency-cruiser: an upper line imports those below
 * it, never the other way round, and what stands on one line is strangers unless an arrow says otherwise.
 */
const { readFileSync } = require('node:fs');
const path = require('node:path');

const PAGE = path.join(__dirname, '../docs/ARCHITECTURE.md');
const PACKAGES = ['protocol', 'client-sdk', 'loadtest'];
const OURS = '^(protocol|client-sdk|gateway|loadtest)/';
const TESTS = '\\.test\\.ts$';

/**
 * The lines of the picture, from above: a label, then names two spaces and more apart, each with the neighbours
 * that it may import: `a -> b, c`.
 */
function readPicture() {
  const [, picture] = /```layers\n(.*?)```/s.exec(readFileSync(PAGE, 'utf8')) ?? [];
  if (picture === undefined) throw new Error('docs/ARCHITECTURE.md has no picture of the layers');
  return picture
    .trim()
    .split('\n')
    .map((line) => {
      const [label, ...items] = line.trim().split(/\s{2,}/);
      return {
        label,
        items: items.map((item) => {
          const [name, arrows] = item.split(' -> ');
          return { name, arrows: arrows ? arrows.split(', ') : [] };
        }),
      };
    });
}

/** What stands in the picture under this name: a package, or a folder or file of the gateway. */
function pathOf(name) {
  if (PACKAGES.includes(name)) return `^${name}/src/`;
  if (name === 'demo') return '^gateway/demo/';
  const pattern = name.replaceAll('.', '\\.').replaceAll('*', '[^/]+');
  return `^gateway/src/${pattern}${name.endsWith('.ts') ? '$' : '/'}`;
}

const picture = readPicture();
const names = new Set(picture.flatMap(({ items }) => items.map(({ name }) => name)));
/** The ports are one: each may know the others, and belongs to them rather than to its folder. */
const ports = picture.find(({ label }) => label === 'ports').items.map(({ name }) => pathOf(name));

const downwards = picture.flatMap(({ label, items }, at) => {
  const below = picture.slice(at + 1).flatMap((line) => line.items.map(({ name }) => pathOf(name)));
  return items.map(({ name, arrows }) => {
    const unknown = arrows.find((one) => !names.has(one));
    if (unknown) throw new Error(`docs/ARCHITECTURE.md: an arrow leads to ${unknown}, which is nowhere in the picture`);
    const isPort = label === 'ports';
    return {
      name: `picture: ${name} imports what is below it`,
      severity: 'error',
      from: { path: pathOf(name), pathNot: isPort ? [TESTS] : [TESTS, ...ports] },
      to: { path: OURS, pathNot: [pathOf(name), ...arrows.map(pathOf), ...below, ...(isPort ? ports : [])] },
    };
  });
});

/** Tests import what they test, so that a file is seen even if it imports nothing and nothing imports it. */
const complete = {
  name: 'picture: everything has its place in it',
  severity: 'error',
  from: {},
  to: { path: OURS, pathNot: [...[...names].map(pathOf), TESTS, '^(gateway|loadtest|client-sdk)/test/', '/bin/'] },
};

module.exports = { ports, rules: [...downwards, complete] };
