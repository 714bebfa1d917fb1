/** Under which conditions figures were measured, and in what those of two runs differ: a comparison across them says little. */

/** Of one benchmark in one document; what was not told is not there. */
export interface Conditions {
  readonly configuration: Readonly<Record<string, unknown>>;
  readonly run: Readonly<Record<string, unknown>>;
  /** What only wall time depends on. */
  readonly wall: Readonly<Record<string, unknown>>;
}

/** Documents from before this key lack others too. */
const LATER_KEY = 'thp';

const shownKeys: Readonly<Record<string, string>> = { costPreset: 'cost', costHash: 'cost numbers' };

/** Of the document of `svmsim bench`, or of what was read back of one. */
export function conditionsOf(document: Readonly<Record<string, unknown>>, benchmark: string): Conditions {
  const { configurations, configuration, executor, seed, environment } = document;
  const own = recordOf(recordOf(configurations)[benchmark] ?? configuration);
  const { presetHash, ...others } = own;
  const { cpu, node } = recordOf(environment);
  return {
    configuration: { ...others, ...(presetHash !== undefined && { costHash: own.costHash ?? presetHash }) },
    run: { executor, seed },
    wall: { CPU: cpu, Node: node },
  };
}

/** Lines to stand above a comparison; none where the conditions are the same. */
export function conditionLines(
  benchmark: string,
  before: Conditions,
  after: Conditions,
  hasWall: boolean,
): string[] {
  const configurations = differences(before.configuration, after.configuration);
  const others = [
    ...differences(before.run, after.run),
    ...(hasWall ? differences(before.wall, after.wall) : []),
  ];
  return [
    ...(configurations.length === 0
      ? []
      : [`${benchmark}: configurations differ: ${configurations.join(', ')}`]),
    ...(others.length === 0 ? [] : [`${benchmark}: the runs differ: ${others.join(', ')}`]),
  ];
}

function differences(
  before: Readonly<Record<string, unknown>>,
  after: Readonly<Record<string, unknown>>,
): string[] {
  const isOld = !(LATER_KEY in before) && LATER_KEY in after;
  const keys = [...new Set([...Object.keys(after), ...Object.keys(before)])];
  const differing = keys.filter((key) => {
    if (isOld && !(key in before)) return false;
    return JSON.stringify(before[key]) !== JSON.stringify(after[key]);
  });
  // Another preset has other numbers; that they differ is news only where the preset is the same.
  const told = differing.includes('costPreset') ? differing.filter((key) => key !== 'costHash') : differing;
  return told.map((key) => `${shownKeys[key] ?? key} ${shown(before[key])} -> ${shown(after[key])}`);
}

function shown(value: unknown): string {
  if (value === undefined) return 'none';
  return Array.isArray(value) ? value.join('+') : String(value);
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}
