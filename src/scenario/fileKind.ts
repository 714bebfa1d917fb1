/** The kinds of file that users write, and which kind a file is. */

import { extname } from 'node:path';
import { isMap, parseDocument } from 'yaml';
import { PLAIN_YAML } from './plainYaml.js';
import { readTextFile } from './readTextFile.js';

export const fileKinds = ['scenario', 'preset', 'case'] as const;
export type FileKind = (typeof fileKinds)[number];

const FILE_BYTES_MAX = 2 ** 20;

/** Cases are JSON; of YAML files a preset is one that has numbers or extends another, at its top. @throws UserError for a file that cannot be read. */
export function fileKindOf(path: string): FileKind {
  if (extname(path) === '.json') return 'case';
  const text = readTextFile(path, 'a scenario, a cost preset or a case file', FILE_BYTES_MAX);
  const { contents } = parseDocument(text, { ...PLAIN_YAML, logLevel: 'silent' });
  const isPreset = isMap(contents) && (contents.has('numbers') || contents.has('extends'));
  return isPreset ? 'preset' : 'scenario';
}
