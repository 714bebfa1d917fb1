/** The terminal of this process as a screen: drawn on as a whole, its keys read one by one. */

import type { Screen } from './cliHost.js';

const ALTERNATE_ON = '\x1b[?1049h\x1b[?25l';
const ALTERNATE_OFF = '\x1b[?25h\x1b[?1049l';
const HOME = '\x1b[H';
const ERASE_LINE = '\x1b[K';
const ERASE_BELOW = '\x1b[J';

/** Null unless input and output are a terminal. */
export function processScreen({ stdin, stdout }: NodeJS.Process): Screen | null {
  if (!stdin.isTTY || !stdout.isTTY) return null;
  let isOpen = false;
  const restore = (): void => {
    if (isOpen) stdout.write(ALTERNATE_OFF);
    isOpen = false;
  };
  return {
    get size() {
      return { columns: stdout.columns, rows: stdout.rows };
    },
    open: () => {
      isOpen = true;
      // Also when the process ends by an error.
      process.once('exit', restore);
      stdout.write(ALTERNATE_ON);
    },
    draw: (lines) => {
      if (isOpen) stdout.write(`${HOME}${lines.map((line) => line + ERASE_LINE).join('\r\n')}${ERASE_BELOW}`);
    },
    close: restore,
    onKey: (listener) => {
      const hear = (data: Buffer): void => {
        const text = data.toString('utf8');
        // A key that sends several characters is one, and what was pasted is a line.
        if (text.startsWith('\x1b')) listener(text);
        else for (const key of text) listener(key);
      };
      stdin.setRawMode(true);
      stdin.on('data', hear);
      stdin.resume();
      return () => {
        stdin.off('data', hear);
        stdin.setRawMode(false);
        stdin.pause();
      };
    },
  };
}
