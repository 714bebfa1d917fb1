/** The rooms of the source tree and which room may import which: the architecture as a table. */

/** From the bottom to the top; a room may import those that its row names, and itself. */
export const rooms: Readonly<Record<string, readonly string[]>> = {
  base: [],
  case: ['base'],
  sim: ['base'],
  memory: ['base', 'sim'],
  mm: ['base', 'sim', 'memory'],
  drm: ['base', 'sim', 'memory', 'mm'],
  device: ['base', 'sim', 'memory'],
  driver: ['base', 'sim', 'memory', 'mm', 'drm', 'device'],
  actors: ['base', 'sim', 'memory', 'mm', 'drm', 'device', 'driver'],
  workload: ['base', 'case', 'sim', 'memory', 'mm'],
  observe: ['base', 'sim', 'memory', 'mm', 'drm', 'device', 'driver', 'actors', 'workload'],
  check: ['base', 'sim', 'memory', 'mm', 'drm', 'device', 'driver', 'actors', 'workload', 'observe'],
  simulation: [
    'base',
    'case',
    'sim',
    'memory',
    'mm',
    'drm',
    'device',
    'driver',
    'actors',
    'workload',
    'observe',
    'check',
  ],
  scenario: ['base', 'case', 'simulation', 'workload', 'memory'],
  report: ['base', 'case', 'observe', 'simulation'],
  cli: ['base', 'case', 'simulation', 'scenario', 'report'],
};
