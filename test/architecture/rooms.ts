/** The rooms of the source tree and which room may import which: the architecture as a table. */

/** From the bottom to the top; a room may import those that its row names, and itself. */
export const rooms: Readonly<Record<string, readonly string[]>> = {
  base: [],
  sim: ['base'],
  memory: ['base', 'sim'],
  mm: ['base', 'sim', 'memory'],
  drm: ['base', 'sim', 'memory', 'mm'],
  device: ['base', 'sim', 'memory'],
  driver: ['base', 'sim', 'memory', 'mm', 'drm', 'device'],
  actors: ['base', 'sim', 'memory', 'mm', 'drm', 'device', 'driver'],
  workload: ['base', 'sim', 'memory', 'mm'],
  observe: ['base', 'sim', 'memory', 'mm', 'drm', 'device', 'driver', 'actors', 'workload'],
  check: ['base', 'sim', 'memory', 'mm', 'drm', 'device', 'driver', 'actors', 'workload', 'observe'],
  simulation: [
    'base',
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
  scenario: ['base', 'simulation', 'workload', 'memory'],
  report: ['base', 'observe', 'simulation'],
  cli: ['base', 'simulation', 'scenario', 'report'],
};
