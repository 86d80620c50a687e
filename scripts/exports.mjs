/**
 * A part of `npm run check`: what is exported has to be imported by another file, and what only tests import has to be
 * used by its own file as well. What an entry of a package (`exports` in its package.json) hands on belongs to the
 * users of the package.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';

const PACKAGES = ['protocol', 'client-sdk', 'gateway', 'loadtest'];
const isTest = (file) => /\.test\.tsx?$|(^|\/)test\//.test(file);

/** Returns what a file exports (name to line) and what it imports (`<file> <name>`, or `<file> *` for all of it). */
function readModule(file, text, fileOf) {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const exports = new Map();
  const imports = [];
  const use = (specifier, names) => {
    const from = fileOf(specifier.text, file);
    if (from) for (const name of names) imports.push(`${from} ${name}`);
  };
  const namesOf = (bindings) => bindings.elements.map(({ propertyName, name }) => (propertyName ?? name).text);
  const visit = (node) => {
    if (ts.isImportDeclaration(node)) {
      const bindings = node.importClause?.namedBindings;
      if (bindings) use(node.moduleSpecifier, ts.isNamespaceImport(bindings) ? ['*'] : namesOf(bindings));
    } else if (ts.isExportDeclaration(node) && node.moduleSpecifier) {
      const bindings = node.exportClause;
      use(node.moduleSpecifier, bindings && ts.isNamedExports(bindings) ? namesOf(bindings) : ['*']);
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      if (ts.isStringLiteral(node.arguments[0])) use(node.arguments[0], ['*']);
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      use(node.argument.literal, ['*']);
    } else if (node.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword)) {
      for (const { name } of ts.isVariableStatement(node) ? node.declarationList.declarations : [node]) {
        if (name && ts.isIdentifier(name)) {
          exports.set(name.text, source.getLineAndCharacterOfPosition(name.getStart()).line + 1);
        }
      }
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return { exports, imports };
}

/** Lists the files of a folder that match, by names relative to `root`. */
function listFiles(root, folder, matches) {
  if (!existsSync(path.join(root, folder))) return [];
  return readdirSync(path.join(root, folder), { recursive: true })
    .map((name) => path.join(folder, name))
    .filter((name) => matches.test(name) && !/(^|\/)(node_modules|dist|build)\//.test(name));
}

/** Returns the sources that the entries of a package are made from. */
function entriesOf(root, folder) {
  const manifest = path.join(root, folder, 'package.json');
  if (!existsSync(manifest)) return [];
  const { exports = {} } = JSON.parse(readFileSync(manifest, 'utf8'));
  const built = JSON.stringify(exports).match(/dist\/[^"]+\.js(?=")/g) ?? [];
  return built.map((file) => path.join(folder, 'src', file.slice('dist/'.length, -'.js'.length)));
}

/** Returns a line for each export that nobody needs. */
export function unusedExports(root) {
  const files = PACKAGES.concat('scripts').flatMap((folder) => listFiles(root, folder, /(?<!\.d)\.tsx?$/));
  const texts = new Map(files.map((file) => [file, readFileSync(path.join(root, file), 'utf8')]));
  // Programs that are no TypeScript use what was built, by any path. So a name that stands in one counts as used.
  const programs = PACKAGES.concat('scripts')
    .flatMap((folder) => listFiles(root, folder, /\.mjs$/))
    .map((file) => readFileSync(path.join(root, file), 'utf8'))
    .join('\n');
  const fileOf = (specifier, importer) => {
    if (!specifier.startsWith('.')) return undefined;
    const file = path.join(path.dirname(importer), specifier).replace(/\.js$/, '');
    return [`${file}.ts`, `${file}.tsx`].find((one) => texts.has(one));
  };
  const entries = new Set(
    PACKAGES.flatMap((folder) => entriesOf(root, folder)).flatMap((file) => [`${file}.ts`, `${file}/index.ts`]),
  );
  const modules = [...texts].map(([file, text]) => ({ file, text, ...readModule(file, text, fileOf) }));
  const importedBy = (wanted) => new Set(modules.filter(({ file }) => wanted(file)).flatMap(({ imports }) => imports));
  const bySources = importedBy((file) => !isTest(file));
  const byTests = importedBy(isTest);
  const isIn = (set, file, name) => set.has(`${file} ${name}`) || set.has(`${file} *`);
  const isWord = (text, name, times) => (text.match(new RegExp(`\\b${name}\\b`, 'g')) ?? []).length >= times;
  return modules
    .filter(({ file }) => !isTest(file) && !entries.has(file))
    .flatMap(({ file, text, exports }) =>
      [...exports].flatMap(([name, line]) => {
        if (isIn(bySources, file, name) || isWord(programs, name, 1)) return [];
        if (!isIn(byTests, file, name)) return [`${file}:${line}: nobody imports ${name}: do not export it`];
        return isWord(text, name, 2) ? [] : [`${file}:${line}: only tests use ${name}`];
      }),
    );
}
