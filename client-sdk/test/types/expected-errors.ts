/** Compares what a fixture says must not compile (`//! 2345 text` above the line) with what the compiler printed. */
export function compareErrors(fixture: string, printed: string): { unexpected: string[]; missing: string[] } {
  const expected = fixture.split('\n').flatMap((line, index) => {
    const [, codes = '', text = ''] = /^\s*\/\/! ([\d|]+) (.*)$/.exec(line) ?? [];
    return codes === '' ? [] : [{ line: index + 2, codes: codes.split('|'), text }];
  });
  if (expected.length === 0) throw new Error('the fixture expects nothing');
  // An error begins at the margin; what explains it follows, indented.
  const errors = printed.split(/\n(?=\S)/).filter((error) => error.trim() !== '');
  const met = new Set<object>();
  const unexpected = errors.filter((error) => {
    const [, line, code = ''] = /\((\d+),\d+\): error TS(\d+)/.exec(error) ?? [];
    const found = expected.find(
      (one) => one.line === Number(line) && one.codes.includes(code) && error.includes(one.text),
    );
    if (found) met.add(found);
    return found === undefined;
  });
  const missing = expected.filter((one) => !met.has(one)).map(({ line, text }) => `line ${line}: ${text}`);
  return { unexpected, missing };
}
