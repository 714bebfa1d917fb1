/** The JSON document of a command that only lists what it knows. */

import type { Environment, JsonDocument, JsonObject } from './json.js';

/** Nothing was run, so that nothing was counted and took time. */
export function listDocument(
  command: string,
  results: readonly JsonObject[],
  environment: Environment,
): JsonDocument {
  return {
    svmsim: environment.svmsim,
    command,
    scenario: null,
    executor: null,
    seed: null,
    ok: true,
    partial: false,
    environment,
    checks: [],
    counters: {},
    results,
    time: { wallNs: 0, simulatedNs: 0 },
  };
}
