/** One line for each export below `root` that nobody needs. */
export function unusedExports(root: string): string[];
