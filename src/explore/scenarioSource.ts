/** A scenario file as it is explored: with what options say of it, and with copies of all other files that it names. */

import type { SubjectSource } from '../bugs/bugOverlay.js';
import { readScenarioText, scenarioFromText } from '../scenario/loadScenario.js';
import type { ScenarioOverrides } from '../scenario/overrides.js';
import { CopyingFiles } from '../scenario/scenarioFiles.js';

/** Of all other files of a scenario together: they are kept in failure files, and sent to workers. */
const COPIES_BYTES_MAX = 2 ** 26;

/** What can be typed beside a scenario that is explored. */
export type ExploredOverrides = Pick<ScenarioOverrides, 'devices' | 'layout' | 'set'>;

/** @throws UserError for a mistake of the file, of the options as they were typed, or of a file that they name. */
export function scenarioSource(
  path: string,
  { devices, layout, set = [] }: ExploredOverrides,
): SubjectSource {
  const text = readScenarioText(path);
  const files = new CopyingFiles(COPIES_BYTES_MAX);
  const named = [
    ...(devices === undefined ? [] : [`devices.count=${devices}`]),
    ...(layout === undefined ? [] : [`svm.layout=${layout}`]),
  ];
  // Options by their own names may speak against those of `set`.
  const overrides = {
    set,
    ...(devices === undefined ? {} : { devices }),
    ...(layout === undefined ? {} : { layout }),
  };
  scenarioFromText(path, text, overrides, files);
  const { kept } = files;
  return {
    kind: 'scenario',
    path,
    text,
    set: [...set, ...named],
    ...(kept.length === 0 ? {} : { files: kept }),
  };
}
