/** The experiments by which a modelled machine is held against a real one: plain data. */

/** Bytes from one memory to another; a number is a device. */
export interface Move {
  readonly from: number | 'ram';
  readonly to: number | 'ram';
  readonly bytes: number;
}

/** Copies that begin together, by the copy engines alone: nothing is migrated, mapped or faulted. */
export interface CopyExperiment {
  readonly kind: 'copies';
  readonly moves: readonly Move[];
  /** Rate of the first move, of all together until the last has ended, or the time of the first. */
  readonly measure: 'first' | 'total' | 'us';
  /** Whether the time that passes until an engine begins counts. */
  readonly countsSetup: boolean;
  /** In place of the preset's, where a measurement made its own streams; what the preset's own give is told beside. */
  readonly enginesPerDevice?: number;
}

/** A program that brings memory from RAM to a device before it uses it. */
export interface PrefetchExperiment {
  readonly kind: 'prefetch';
  readonly bytes: number;
  readonly rangeBytes: number;
  /** Ranges under way at the same time. */
  readonly atOnce: number;
  /** Folios of 2 MiB. */
  readonly hugePages: boolean;
}

/** One context that touches range after range for the first time. */
export interface FaultExperiment {
  readonly kind: 'fault';
  readonly rangeBytes: number;
  readonly hugePages: boolean;
  /**
   * Mean time from the access to its answer, as the device sees it; mean time in the driver; mean time of the copy in it; share of the copy in the time in the
   * driver.
   */
  readonly measure: 'answer' | 'service' | 'copy' | 'copy-share';
}

/** Throughput of a migration with large folios over that with small ones. */
export interface FolioGainExperiment {
  readonly kind: 'folio-gain';
  readonly bytes: number;
  readonly rangeBytes: number;
}

export type Experiment = CopyExperiment | PrefetchExperiment | FaultExperiment | FolioGainExperiment;
