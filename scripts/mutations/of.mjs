/**
 * Faults of one file that one suite notices: each its name, the text and what replaces it. A fourth entry says more:
 * `tests`, the tests of the suite that are enough, where it is slow as a whole, or `equivalent`, why nobody could
 * notice.
 *
 * @param {string} file from the root of the workspace
 * @param {string} suite a test file
 * @param {readonly (readonly [name: string, from: string, to: string, more?: { tests?: string, equivalent?: string }])[]} faults
 * @returns {readonly import('./index.mjs').NamedMutation[]}
 */
export function of(file, suite, faults) {
  return faults.map(([name, from, to, more = {}]) => ({ name, file, from, to, suite, ...more }));
}
