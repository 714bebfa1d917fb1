/** Which named steps begin and end the spans of a timeline: a table, since the protocol itself knows only of steps. */

/** What a span is about; viewers colour and filter by it. `own` is of a user's own code; `lock` is a wait for a lock, `wait` one for anything else. */
export type SpanCategory =
  | 'fault'
  | 'migration'
  | 'invalidation'
  | 'mapping'
  | 'call'
  | 'kernel'
  | 'own'
  | 'lock'
  | 'wait';

export interface SpanRule {
  readonly name: string;
  readonly category: SpanCategory;
  readonly begin: string;
  readonly end: readonly string[];
  /** Steps at which one phase of the span ends, by the name of that phase. */
  readonly phases: Readonly<Record<string, string>>;
  /** What comes after the last of these steps. */
  readonly lastPhase?: string;
  /** Step at which the first phase begins again. */
  readonly again?: string;
}

const toDevicePhases = {
  'pagemap.collected': 'collect, unmap and invalidate',
  'pagemap.populated': 'allocate',
  'pagemap.copiedToDevice': 'copy',
} as const;

/** A task that is in one of them is in those around it too: spans of one task nest. */
export const spanRules: readonly SpanRule[] = [
  rule('GPU fault', 'fault', 'driver.fault', ['driver.faultDone']),
  rule('CPU fault', 'fault', 'fault.cpu', ['fault.cpuDone']),
  {
    ...rule('migrate to device', 'migration', 'pagemap.toDevmem', [
      'pagemap.toDevmemDone',
      'pagemap.alreadyThere',
      'pagemap.toDevmemFailed',
    ]),
    phases: toDevicePhases,
    lastPhase: 'remap',
  },
  {
    ...rule('migrate to RAM', 'migration', 'pagemap.toRam', ['pagemap.toRamDone']),
    phases: { 'pagemap.copiedToRam': 'copy' },
    lastPhase: 'remap',
  },
  {
    ...rule('evict', 'migration', 'pagemap.evict', ['pagemap.evictDone']),
    phases: { 'pagemap.copiedToRam': 'copy' },
    lastPhase: 'remap',
    again: 'pagemap.evictRetry',
  },
  {
    ...rule('invalidate', 'invalidation', 'notifier.invStart', ['notifier.invEnd']),
    phases: { 'notifier.invStarted': 'callbacks' },
    lastPhase: 'change entries',
  },
  rule('HMM walk', 'mapping', 'hmm.rangeFault', ['hmm.done']),
  // Each attempt begins anew.
  rule('get pages', 'mapping', 'gpusvm.getPages', ['gpusvm.getPagesDone', 'gpusvm.getPagesRetry']),
  rule('bind', 'mapping', 'driver.bind', ['driver.bound']),
  rule('mmap', 'call', 'mm.mmap', ['mm.mapped']),
  rule('munmap', 'call', 'mm.munmap', ['mm.unmapped']),
  rule('mprotect', 'call', 'mm.mprotect', ['mprotect.done']),
  rule('madvise', 'call', 'mm.madvise', ['madvise.done']),
  rule('mremap', 'call', 'mm.mremap', ['mremap.done']),
  rule('mlock', 'call', 'mm.mlock', ['mlock.done']),
  rule('fork', 'call', 'mm.fork', ['fork.done']),
  rule('exit', 'call', 'mm.exit', ['exit.torn']),
  rule('kernel', 'kernel', 'device.kernelStart', ['device.kernelEnd']),
];

/** Steps that stand for themselves, at one moment; where one ends a span too, it is within that span. */
export const instantSteps: readonly string[] = [
  'device.faultRaised',
  'device.faultServed',
  'device.tlbInvalidate',
  'device.iommuFault',
  'driver.retry',
  'driver.spurious',
  'driver.copyFailed',
  'driver.boEvict',
  'driver.unplugged',
  'driver.unbound',
  'driver.joined',
  'driver.left',
  'driver.migrateBusy',
  'driver.tlbInvalidated',
  'driver.tlbDropped',
  'driver.memoryFault',
  'driver.prefetchDropped',
  'driver.prefetchedAhead',
  'driver.vramEvict',
  'driver.collectGarbage',
  'gpusvm.getPagesRetry',
  'gpusvm.rangeInserted',
  'gpusvm.rangeRemoved',
  'gpusvm.setUnmapped',
  'gpusvm.invalidate',
  'pagemap.timeslice',
  'pagemap.evictRetry',
  'migrate.giveUp',
  'fault.deviceBusy',
  'fault.waitMigration',
  'reclaim.written',
];

/** Steps that a timeline follows for causes, flows and counters, whether it shows them or not. */
export const followedSteps = [
  'driver.migrateStart',
  'device.faultRaised',
  'device.faultDelivered',
  'device.faultServed',
  'sim.send',
  'sim.reply',
  'sim.deliver',
  'device.linkStart',
  'device.linkEnd',
  'device.vramUsed',
  'device.copyChunk',
] as const;

/** Steps that say where pages are from now on. */
export const placeSteps = [
  'fault.anonymous',
  'fault.hugeAnonymous',
  'fault.fileMapped',
  'fault.around',
  'fault.copied',
  'fault.cowBroken',
  'fault.fileCopied',
  'swap.mapped',
  'hugetlb.mapped',
  'driver.migrateStart',
  'pagemap.toDevmem',
  'pagemap.collected',
  'pagemap.toDevmemDone',
  'pagemap.toDevmemFailed',
  'pagemap.alreadyThere',
  'pagemap.cpuMigrated',
  'pagemap.hmmMigrated',
  'pagemap.evict',
  'pagemap.evictDone',
  'zap.cleared',
  'rmap.unmapped',
  'mremap.moved',
  'fork.copied',
  'exit.torn',
] as const;

function rule(name: string, category: SpanCategory, begin: string, end: readonly string[]): SpanRule {
  return { name, category, begin, end, phases: {} };
}
