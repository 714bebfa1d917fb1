/** Reads a file as a run would, without running it, and says what is in it. */

import { statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { loadCaseFiles } from './case/loadCases.js';
import { type FileKind, fileKindOf } from './fileKind.js';
import { loadScenario } from './loadScenario.js';
import { loadPreset } from './presets.js';

export interface CheckedFile {
  readonly kind: FileKind;
  /** `4 devices, 5 workloads`, for people. */
  readonly content: string;
}

/** `path` may be a folder with case files. @throws UserError for the first mistake. */
export function checkFile(path: string, kind: FileKind = kindAt(path)): CheckedFile {
  return { kind, content: contentOf(path, kind) };
}

function kindAt(path: string): FileKind {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ? 'case' : fileKindOf(path);
}

function contentOf(path: string, kind: FileKind): string {
  switch (kind) {
    case 'scenario': {
      const { deviceCount, workloads } = loadScenario(path);
      return `${amount(deviceCount, 'device')}, ${amount(workloads.length, 'workload')}`;
    }
    case 'preset': {
      const { name, numbers } = loadPreset(resolve(path), dirname(path));
      return `${name}, ${amount(Object.keys(numbers).length, 'number')}`;
    }
    case 'case': {
      const files = loadCaseFiles([path]);
      return amount(files.flatMap(({ cases }) => cases).length, 'case');
    }
  }
}

function amount(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
