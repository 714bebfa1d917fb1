/** Where the files come from that a scenario names: from the disk, or from copies that were kept of them. */

import { realpathSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { UserError } from '../base/userError.js';
import { type FileReference, placeOf, readTextFile } from './readTextFile.js';
import { shortestPath } from './shortestPath.js';

export interface ScenarioFiles {
  /**
   * `what` says what kind of file it should be.
   *
   * @throws UserError for one that is not there, is above `mostBytes`, or is not UTF-8.
   */
  text(path: string, what: string, mostBytes: number, namedBy?: FileReference): string;
  /** The same for two paths to one file; null where there is none. */
  identity(path: string): string | null;
}

/** How files are asked for. The working directory does not come into it: a copy has the same path wherever it is used. */
export function pathFrom(baseDir: string, path: string): string {
  return isAbsolute(path) ? path : join(baseDir, path);
}

/** A copy of a file. */
export interface KeptFile {
  /** As {@link pathFrom} made it from that of the scenario. */
  readonly path: string;
  readonly text: string;
}

export const filesOnDisk: ScenarioFiles = {
  text: (path, ...rest) => readTextFile(isAbsolute(path) ? shortestPath(path) : path, ...rest),
  identity: (path) => {
    try {
      return realpathSync(path);
    } catch {
      return null;
    }
  },
};

/** Copies and nothing else: the disk is not looked at, whatever a path names. */
export class KeptFiles implements ScenarioFiles {
  private readonly texts: ReadonlyMap<string, string>;

  constructor(files: readonly KeptFile[]) {
    this.texts = new Map(files.map(({ path, text }) => [path, text]));
  }

  text(path: string, what: string, mostBytes: number, namedBy?: FileReference): string {
    const place = namedBy === undefined ? { where: path } : placeOf(namedBy);
    const text = this.texts.get(path);
    if (text === undefined) {
      const allowed = `${what}, kept with the scenario`;
      throw new UserError({ ...place, found: `${path}, of which no copy was kept`, allowed });
    }
    const bytes = Buffer.byteLength(text);
    if (bytes > mostBytes)
      throw new UserError({ ...place, found: `${path}, a copy of ${bytes} bytes`, allowed: what });
    return text;
  }

  identity(path: string): string | null {
    return this.texts.has(path) ? path : null;
  }
}

/** The disk, with a copy of everything that was read. */
export class CopyingFiles implements ScenarioFiles {
  private readonly copies = new Map<string, string>();
  private bytes = 0;

  /** Of all files together. */
  constructor(private readonly bytesMax: number) {}

  get kept(): KeptFile[] {
    return [...this.copies].map(([path, text]) => ({ path, text }));
  }

  /** @throws UserError also where all of them together are too large to be kept. */
  text(path: string, what: string, mostBytes: number, namedBy?: FileReference): string {
    const text = filesOnDisk.text(path, what, mostBytes, namedBy);
    if (this.copies.has(path)) return text;
    this.bytes += Buffer.byteLength(text);
    if (this.bytes > this.bytesMax) {
      const place = namedBy === undefined ? { where: path } : placeOf(namedBy);
      const found = `${path}, with which the files of the scenario have ${this.bytes} bytes`;
      throw new UserError({ ...place, found, allowed: `files of at most ${this.bytesMax} bytes together` });
    }
    this.copies.set(path, text);
    return text;
  }

  identity(path: string): string | null {
    return filesOnDisk.identity(path);
  }
}
