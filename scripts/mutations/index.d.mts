/** A fault put into the source: the suite must fail with it. */
export interface NamedMutation {
  /** What is wrong then, in words. */
  readonly name: string;
  /** Where, from the root of the workspace. */
  readonly file: string;
  /** Stands in the file exactly once. */
  readonly from: string;
  readonly to: string;
  /** The test file that notices. */
  readonly suite: string;
  /** A pattern for the names of those of its tests that are enough. All of them without it. */
  readonly tests?: string;
  /** Why no test could notice: it is in the list, but not tried. */
  readonly equivalent?: string;
}

export declare const MUTATIONS: readonly NamedMutation[];
