import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { type Browser, chromium } from 'playwright-core';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

/** A real Chromium: that of `CHROMIUM_PATH`, or the first in the path. The caller closes it. */
export async function launchChromium(): Promise<Browser> {
  const executablePath = process.env.CHROMIUM_PATH ?? findInPath();
  if (!executablePath) {
    throw new Error('the browser tests need Chromium: sudo apt-get install chromium (or name one in CHROMIUM_PATH)');
  }
  // Containers forbid what its sandbox needs; it only ever sees our own page.
  // Playwright turns the back/forward cache off, which users have.
  const ignoreDefaultArgs = ['--disable-back-forward-cache'];
  return chromium.launch({ executablePath, args: ['--no-sandbox'], ignoreDefaultArgs });
}

function findInPath(): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter);
  return NAMES.flatMap((name) => folders.map((folder) => join(folder, name))).find(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
