/** A folder for files that a test writes, and the messages of the mistakes in them without the folder's name. */

import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { UserError } from '../../src/base/userError.js';
import { tempFolder } from '../tempFolder.js';

export class Scratch {
  readonly dir = tempFolder();

  path(name: string): string {
    return join(this.dir, name);
  }

  write(name: string, content: string | Uint8Array): string {
    const path = this.path(name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
    return path;
  }

  /** What the user reads; fails the test when there is no mistake, or an error that is not one of the user. */
  mistakeOf(action: () => unknown): string {
    try {
      action();
    } catch (error) {
      if (error instanceof UserError) return error.message.replaceAll(`${this.dir}/`, '');
      throw error;
    }
    throw new Error('no mistake was found');
  }
}
