/**
 * Makes what `@fanfare/client` ships, in client-sdk/dist: each entry of its `exports` as a module and as CommonJS, with
 * types for both and the protocol inside, and everything as one script for `<script>`. The source of an entry `./name`
 * is `src/name.ts` or `src/name/index.ts`. `./testing` is made of the gateway's parts, and its source is with them.
 */
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** The syntax that ships. All bundlers and runtimes of the last years take it, so they need not translate it. */
const TARGET = 'es2020';
/**
 * A file that stays a file of its own, and the one that bundlers take in its place for a page (`browser` in
 * package.json).
 */
const REPLACED = ['transport/node-socket', 'transport/node-socket.browser'];
const PROTOCOL_ENTRIES = {
  '': 'index.ts',
  json: 'dialects/json.ts',
  compact: 'dialects/compact.ts',
  msgpack: 'dialects/msgpack.ts',
  raw: 'dialects/raw.ts',
};
/** Entries whose source is elsewhere, as paths without ending. Their types are looked for beside what was compiled. */
const ELSEWHERE = { testing: { source: 'gateway/src/testkit/index', types: 'gateway/dist/testkit/index' } };

export async function bundleSdk(root) {
  const sdk = path.join(root, 'client-sdk');
  const dist = path.join(sdk, 'dist');
  const { exports, peerDependencies = {} } = JSON.parse(readFileSync(path.join(sdk, 'package.json'), 'utf8'));
  const external = Object.keys(peerDependencies);
  const names = Object.keys(exports)
    .filter((entry) => typeof exports[entry] === 'object')
    .map((entry) => entry.slice(2) || 'index');
  rmSync(dist, { recursive: true, force: true });
  await bundleTypes(root, dist, names, external);
  await bundleScripts(root, dist, names, external);
}

/**
 * Returns how esbuild makes what ships of our sources. The types have to be bundled by then, because they say which
 * names are public.
 */
export async function shippedForm(root) {
  const { default: ts } = await import('typescript');
  return {
    bundle: true,
    target: TARGET,
    charset: 'utf8',
    // With this, constants of another module stand in their place; a bundler that only minifies cannot do that.
    minifySyntax: true,
    define: { 'Number.POSITIVE_INFINITY': 'Infinity', 'Number.NaN': 'NaN' },
    // Fields become plain assignments. If they were defined as the standard says, they would go through a helper.
    tsconfigRaw: { compilerOptions: { useDefineForClassFields: false } },
    plugins: [sources(ts, root)],
    mangleProps: new RegExp(`^(${internalNames(ts, root).join('|')})$`),
    logLevel: 'warning',
  };
}

async function bundleScripts(root, dist, names, external) {
  const esbuild = await import('esbuild');
  // The test kit runs on Node, where tests do.
  const shared = { ...(await shippedForm(root)), external: [...external, 'node:*'] };
  const entryPoints = Object.fromEntries(
    [...names, ...REPLACED].map((name) => [path.basename(name), sourceOf(root, name, '.ts', 'src')]),
  );
  await esbuild.build({ ...shared, entryPoints, outdir: dist, format: 'esm', splitting: true, platform: 'neutral' });
  for (const file of readdirSync(dist).filter((name) => name.endsWith('.js'))) {
    // No module of ours does anything by being loaded, so an import of nothing would be noise to bundlers.
    const module = readFileSync(path.join(dist, file), 'utf8').replace(/^import "[^"]+";\n/gm, '');
    writeFileSync(path.join(dist, file), module);
    const common = module
      .replace(/from "(\.\/[^"]+)\.js"/g, 'from "$1.cjs"')
      // Jest runs CommonJS in a context that has no `import()`.
      .replace(/await import\([^()]*?\b(\w+)\s*\)/, 'require($1)');
    const { code } = await esbuild.transform(common, { format: 'cjs', platform: 'node', charset: 'utf8' });
    writeFileSync(path.join(dist, file.replace(/\.js$/, '.cjs')), code);
  }
  await esbuild.build({
    ...shared,
    stdin: {
      contents: `export * from './index.ts';\nexport { msgpackDialect } from './msgpack.ts';`,
      resolveDir: path.join(root, 'client-sdk/src'),
    },
    outfile: path.join(dist, 'fanfare.min.js'),
    format: 'iife',
    globalName: 'Fanfare',
    platform: 'browser',
    minify: true,
  });
  await esbuild.stop();
}

async function bundleTypes(root, dist, names, external) {
  const [{ rollup }, { default: dts }] = await Promise.all([import('rollup'), import('rollup-plugin-dts')]);
  const input = Object.fromEntries(names.map((name) => [name, sourceOf(root, name, '.d.ts', 'build')]));
  const ours = {
    name: 'ours',
    resolveId(name) {
      if (name.startsWith('@fanfare/protocol'))
        return path.join(root, 'protocol/dist', protocolFile(name).replace(/\.ts$/, '.d.ts'));
      return name.startsWith('@fanfare/client') ? clientFile(root, name, '.d.ts', 'build') : null;
    },
  };
  const bundle = await rollup({ input, external: [...external, /^node:/], plugins: [ours, dts()] });
  for (const extension of ['d.ts', 'd.cts']) {
    const entryFileNames = `[name].${extension}`;
    const chunkFileNames = `types-[hash].${extension}`;
    const banner = ({ isEntry, name }) => (isEntry ? moduleComment(root, name) : '');
    await bundle.write({ dir: dist, format: 'es', entryFileNames, chunkFileNames, banner });
  }
  await bundle.close();
}

/**
 * Returns the comment at the top of an entry's source, with the name by which the entry is imported, for the API
 * reference.
 */
function moduleComment(root, name) {
  const source = readFileSync(sourceOf(root, name, '.ts', 'src'), 'utf8');
  const [, text] = /^\/\*\*(.*?)\*\/\n/s.exec(source) ?? [];
  if (text === undefined) throw new Error(`${name}: the source of an entry begins with a comment that says what it is`);
  const lines = text.split('\n').map((line) => line.replace(/^ ?\*? ?/, '').trim());
  const said = lines.filter((line) => line !== '').map((line) => ` * ${line}\n`);
  return `/**\n${said.join('')} * @module ${name === 'index' ? '@fanfare/client' : `@fanfare/client/${name}`}\n */`;
}

function sourceOf(root, name, extension, folder) {
  const elsewhere = ELSEWHERE[name]?.[folder === 'src' ? 'source' : 'types'];
  return elsewhere
    ? path.join(root, elsewhere + extension)
    : clientFile(root, `@fanfare/client/${name}`, extension, folder);
}

/** Returns the file of a module of the SDK, by the name under which our other packages know it. */
function clientFile(root, specifier, extension, folder) {
  const name = specifier.slice('@fanfare/client/'.length) || 'index';
  const file = path.join(root, 'client-sdk', folder, `${name}${extension}`);
  return existsSync(file) ? file : path.join(root, 'client-sdk', folder, name, `index${extension}`);
}

function protocolFile(name) {
  const entry = name.slice('@fanfare/protocol/'.length);
  return PROTOCOL_ENTRIES[entry] ?? `${entry}.ts`;
}

/**
 * Returns the names by which our parts call each other, which are shortened in what ships: those of functions and of
 * members of classes that nobody else can mean. A word in our types is public. A word in a text without spaces may be a
 * field of the wire. A word that the language, browsers, Node, `ws` or React have may be theirs. Fields of plain
 * objects may be data, so they keep their names. What the test kit brings along of the gateway is bundled in the same
 * run, so the names are the same there.
 */
function internalNames(ts, root) {
  const dist = path.join(root, 'client-sdk/dist');
  const types = path.dirname(ts.sys.getExecutingFilePath());
  const packages = ['node', 'ws', 'react'].map((name) => path.join(root, 'node_modules/@types', name));
  const theirs = new Set([dist, types, ...packages].flatMap((folder) => filesIn(folder, '.d.ts').flatMap(wordsIn)));
  const declared = new Set();
  const texts = new Set();
  for (const folder of ['client-sdk/src', 'protocol/src', 'gateway/src']) {
    for (const file of filesIn(path.join(root, folder), '.ts')) {
      const visit = (node) => {
        if (ts.isStringLiteralLike(node) && !/\s/.test(node.text))
          for (const word of node.text.match(WORD) ?? []) texts.add(word);
        if (folder !== 'gateway/src' && isMember(ts, node)) declared.add(node.name.text);
        ts.forEachChild(node, visit);
      };
      visit(ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest, true));
    }
  }
  return [...declared].filter((name) => name.length > 2 && !theirs.has(name) && !texts.has(name));
}

const WORD = /[\w$]+/g;

/** Returns the words of a file, without those of its comments, which are prose. */
const wordsIn = (file) =>
  readFileSync(file, 'utf8')
    .replace(/\/\*.*?\*\/|\/\/[^\n]*/gs, '')
    .match(WORD) ?? [];

const filesIn = (folder, ending) =>
  readdirSync(folder, { recursive: true })
    .filter((file) => file.endsWith(ending) && !file.endsWith('.test.ts'))
    .map((file) => path.join(folder, file));

/** Returns whether the node declares a member of a class, or a function of an object. */
function isMember(ts, { kind, name, parent, type }) {
  const { SyntaxKind: of } = ts;
  const functions = [of.MethodDeclaration, of.MethodSignature, of.GetAccessor, of.SetAccessor];
  const isField = kind === of.PropertyDeclaration && ts.isClassLike(parent);
  const isFunction = kind === of.PropertySignature && type?.kind === of.FunctionType;
  return (isField || isFunction || functions.includes(kind)) && ts.isIdentifier(name);
}

/**
 * Reads our packages from source, with short plain names for what is `#private`. Translated to this target, each
 * `#private` would become a WeakMap, with which receiving falls to less than 0.6 (client-sdk/bench/receive.mjs); and a
 * bundler that minifies shortens no plain names.
 */
function sources(ts, root) {
  return {
    name: 'sources',
    setup(build) {
      // This stays an import of the file itself, so that bundlers can replace it. In the script for a page it is
      // replaced already.
      build.onResolve({ filter: /\/node-socket\.js$/ }, () =>
        build.initialOptions.splitting
          ? { path: './node-socket.js', external: true }
          : { path: path.join(root, 'client-sdk/src', `${REPLACED[1]}.ts`) },
      );
      build.onResolve({ filter: /^@fanfare\/protocol/ }, ({ path: name }) => ({
        path: path.join(root, 'protocol/src', protocolFile(name)),
      }));
      build.onResolve({ filter: /^@fanfare\/client/ }, ({ path: name }) => ({
        path: clientFile(root, name, '.ts', 'src'),
      }));
      build.onLoad({ filter: /\/src\/.*\.ts$/ }, ({ path: file }) => {
        return {
          contents: withoutPrivateNames(ts, file, withNumbersInPlace(ts, readFileSync(file, 'utf8'))),
          loader: 'ts',
        };
      });
    },
  };
}

/** Letters in the order of how frequent they are in what minifiers make, which also name variables by them. */
const LETTERS = 'etnsiorhcaldupfmgbvwykxjqz';

/**
 * Gives private members the same few names of one letter in every file, because those compress best. They are given in
 * the order in which members are declared, so that classes begin alike. No member that is not private has such a name. A
 * class that extends another shares its object, so the names of its file are its own.
 */
function withoutPrivateNames(ts, file, source) {
  let text = source;
  const EXTENDS = ts.SyntaxKind.ExtendsKeyword;
  const found = [];
  let isShared = false;
  const visit = (node) => {
    if (ts.isPrivateIdentifier(node)) found.push(node);
    if (ts.isClassLike(node)) isShared ||= node.heritageClauses?.some(({ token }) => token === EXTENDS) ?? false;
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true));
  const prefix = isShared ? `_${path.basename(file, '.ts').replaceAll('-', '_')}_` : '';
  const names = [...new Set(found.map((node) => node.text))];
  const short = new Map(names.map((name, index) => [name, prefix + (LETTERS[index] ?? `_${index}`)]));
  for (const node of found.reverse())
    text = text.slice(0, node.getStart()) + short.get(node.text) + text.slice(node.end);
  return text;
}

/** Puts numbers that a module has a name for where the names are used. Otherwise the names would stay in what ships. */
function withNumbersInPlace(ts, source) {
  const tree = ts.createSourceFile('', source, ts.ScriptTarget.Latest, true);
  const declared = tree.statements
    .filter((node) => ts.isVariableStatement(node) && node.declarationList.flags & ts.NodeFlags.Const)
    .flatMap((node) => node.declarationList.declarations)
    .filter(
      ({ name, initializer }) => initializer && ts.isNumericLiteral(initializer) && /^[A-Z0-9_]+$/.test(name.text),
    );
  const numbers = new Map(declared.map(({ name, initializer }) => [name.text, initializer.text]));
  const found = [];
  const visit = (node) => {
    const { parent } = node;
    const isUse = ts.isIdentifier(node) && numbers.has(node.text) && parent.name !== node;
    // A type, or a name that is exported, means the name itself.
    if (isUse && !ts.isTypeQueryNode(parent) && !ts.isExportSpecifier(parent)) found.push(node);
    ts.forEachChild(node, visit);
  };
  visit(tree);
  let text = source;
  for (const node of found.reverse())
    text = text.slice(0, node.getStart()) + numbers.get(node.text) + text.slice(node.end);
  return text;
}
