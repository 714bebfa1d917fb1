/** How the YAML of users is read: as plain values alone, whatever a file says of itself. */

import type { DocumentOptions, ParseOptions, SchemaOptions } from 'yaml';

/** Sets, ordered maps and bytes would be values that nothing here knows, so their tags are none. */
export const PLAIN_YAML: ParseOptions & DocumentOptions & SchemaOptions = {
  prettyErrors: false,
  logLevel: 'error',
  version: '1.2',
  schema: 'core',
  resolveKnownTags: false,
};
