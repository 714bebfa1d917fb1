/** Figures that were published of real machines, each with the experiment that gives it on a modelled one. */

import type { CopyExperiment, Experiment, Move } from './experiment.js';

export interface Figure {
  /** What was measured, in words. */
  readonly what: string;
  readonly published: number;
  readonly unit: 'GB/s' | 'us' | '%';
  readonly source: string;
  /** Null where the model has nothing that corresponds. */
  readonly experiment: Experiment | null;
}

const KIB = 2 ** 10;
const MIB = 2 ** 20;
const RAM = 'ram';

/** What nvbandwidth copies; also taken where nobody says how much was, since latency no longer counts in it. */
const LARGE = 512 * MIB;
/** What p2pmark copies. */
const P2PMARK_BYTES = 64 * MIB;
/** Less, since 56 copies are made at once: sharing makes each so slow that its latency is below a thousandth even so. */
const DENSE_BYTES = 16 * MIB;

/** The time of the engine alone. */
function copies(
  measure: 'first' | 'total',
  bytes: number,
  ...moves: readonly (readonly [Move['from'], Move['to']])[]
): CopyExperiment {
  return {
    kind: 'copies',
    moves: moves.map(([from, to]) => ({ from, to, bytes })),
    measure,
    countsSetup: false,
  };
}

function oneCopyUs(bytes: number): Experiment {
  return { kind: 'copies', moves: [{ from: RAM, to: 0, bytes }], measure: 'us', countsSetup: false };
}

function prefetch(atOnce: number): Experiment {
  return { kind: 'prefetch', bytes: 64 * MIB, rangeBytes: 2 * MIB, atOnce, hugePages: false };
}

function fault(measure: 'service' | 'copy' | 'copy-share', hugePages: boolean): Experiment {
  return { kind: 'fault', rangeBytes: 2 * MIB, hugePages, measure };
}

/** Every GPU reads from all others at once. */
const DENSE_GPUS = [0, 1, 2, 3, 4, 5, 6, 7];
const denseMoves = DENSE_GPUS.flatMap((to) =>
  DENSE_GPUS.filter((from) => from !== to).map((from): [number, number] => [from, to]),
);

const XE_LIST = 'intel-xe mailing list, June 2025, messages 085564 and 085745';
const THP_MAIL = 'mail of the series for large folios in drm_pagemap and xe';
const NVBANDWIDTH = 'nvbandwidth README, a machine of eight GPUs with NVSwitch';
const V100_MATRIX = 'published peer-to-peer matrix of four V100-SXM2';
const P100_MATRIX = 'published peer-to-peer matrix of P100';
const P2PMARK = 'p2pmark README, eight GPUs on PCIe 5';
const UVMSMART = 'UVMSmart sources, latency of PCIe 3 by size';

export const figures = {
  'xe-prefetch-serial': {
    what: 'prefetch of 64 MiB in ranges of 2 MiB, one after another',
    published: 4.35,
    unit: 'GB/s',
    source: XE_LIST,
    experiment: prefetch(1),
  },
  'xe-prefetch-5-threads': {
    what: 'the same, five ranges at a time',
    published: 12.25,
    unit: 'GB/s',
    source: XE_LIST,
    experiment: prefetch(5),
  },
  'xe-prefetch-high-slpc': {
    what: 'prefetch of 64 MiB in ranges of 2 MiB, five at a time, with the power governor set high',
    published: 15.25,
    unit: 'GB/s',
    source: XE_LIST,
    experiment: prefetch(5),
  },
  'xe-prefetch-ulls': {
    what: 'prefetch of 64 MiB in ranges of 2 MiB, five at a time, with ultra-low-latency submission',
    published: 16,
    unit: 'GB/s',
    source: XE_LIST,
    experiment: prefetch(5),
  },
  'xe-copy-2m': {
    what: 'one copy of 2 MiB from RAM, from when the engine begins',
    published: 16,
    unit: 'GB/s',
    source: XE_LIST,
    experiment: {
      kind: 'copies',
      moves: [{ from: RAM, to: 0, bytes: 2 * MIB }],
      measure: 'first',
      countsSetup: false,
    },
  },
  'xe-copy-2m-queue': {
    what: 'svm_2M_device_copy_us with the usual queue',
    published: 165,
    unit: 'us',
    source: 'message of kernel commit 15e096960a7f',
    experiment: fault('copy', false),
  },
  'xe-copy-2m-low-latency': {
    what: 'svm_2M_device_copy_us with the low-latency queue',
    published: 130,
    unit: 'us',
    source: 'message of kernel commit 15e096960a7f',
    experiment: fault('copy', false),
  },
  'xe-fault-2m': {
    what: 'service of a GPU fault that migrates 2 MiB in small folios',
    published: 966,
    unit: 'us',
    source: THP_MAIL,
    experiment: fault('service', false),
  },
  'xe-fault-2m-copy-share': {
    what: 'share of the copy in it',
    published: 23,
    unit: '%',
    source: THP_MAIL,
    experiment: fault('copy-share', false),
  },
  'xe-fault-2m-thp': {
    what: 'service of a GPU fault that migrates one folio of 2 MiB',
    published: 132,
    unit: 'us',
    source: THP_MAIL,
    experiment: fault('service', true),
  },
  'xe-fault-2m-thp-copy-share': {
    what: 'share of the copy in it',
    published: 80,
    unit: '%',
    source: THP_MAIL,
    experiment: fault('copy-share', true),
  },
  'nvbandwidth-h2d': {
    what: 'host to device, copy engine',
    published: 26,
    unit: 'GB/s',
    source: NVBANDWIDTH,
    experiment: copies('first', LARGE, [RAM, 0]),
  },
  'nvbandwidth-h2d-bidirectional': {
    what: 'host to device while as much goes the other way',
    published: 18.5,
    unit: 'GB/s',
    source: NVBANDWIDTH,
    experiment: copies('first', LARGE, [RAM, 0], [0, RAM]),
  },
  'nvbandwidth-d2d': {
    what: 'device to device, copy engine, one pair',
    published: 276,
    unit: 'GB/s',
    source: NVBANDWIDTH,
    experiment: copies('first', LARGE, [0, 1]),
  },
  'v100-pair': {
    what: 'device to device, one pair',
    published: 47.9,
    unit: 'GB/s',
    source: V100_MATRIX,
    experiment: copies('first', LARGE, [0, 1]),
  },
  'v100-three-peers': {
    what: 'one device to three others at once, together',
    published: 143.7,
    unit: 'GB/s',
    source: V100_MATRIX,
    experiment: copies('total', LARGE, [0, 1], [0, 2], [0, 3]),
  },
  'p100-one-link': {
    what: 'device to device over one NVLink',
    published: 18.3,
    unit: 'GB/s',
    source: P100_MATRIX,
    experiment: copies('first', LARGE, [0, 1]),
  },
  'p100-two-links': {
    what: 'device to device over two NVLinks',
    published: 36.4,
    unit: 'GB/s',
    source: P100_MATRIX,
    experiment: copies('first', LARGE, [0, 1]),
  },
  'p2pmark-pair': {
    what: 'device to device over PCIe 5, mean of all pairs',
    published: 54.3,
    unit: 'GB/s',
    source: P2PMARK,
    experiment: copies('first', P2PMARK_BYTES, [0, 1]),
  },
  'p2pmark-dense': {
    what: 'all devices read from all others at once, together',
    published: 189.13,
    unit: 'GB/s',
    source: P2PMARK,
    experiment: { ...copies('total', DENSE_BYTES, ...denseMoves), enginesPerDevice: DENSE_GPUS.length - 1 },
  },
  'p2pmark-latency': {
    what: 'a read of 128 bytes of a peer by a kernel',
    published: 4.1,
    unit: 'us',
    source: P2PMARK,
    experiment: null,
  },
  'uvm-copy-4k': {
    what: 'copy of 4 KiB from RAM over PCIe 3',
    published: 1.759,
    unit: 'us',
    source: UVMSMART,
    experiment: oneCopyUs(4 * KIB),
  },
  'uvm-copy-60k': {
    what: 'copy of 60 KiB from RAM over PCIe 3',
    published: 5.56,
    unit: 'us',
    source: UVMSMART,
    experiment: oneCopyUs(60 * KIB),
  },
  'uvm-copy-1m': {
    what: 'copy of 1 MiB less 4 KiB from RAM over PCIe 3',
    published: 81.8,
    unit: 'us',
    source: UVMSMART,
    experiment: oneCopyUs(MIB - 4 * KIB),
  },
  'uvm-far-fault': {
    what: 'a fault on one page that migrates from RAM',
    published: 45,
    unit: 'us',
    source: 'UVMSmart sources, 66,645 cycles; the literature has 20 to 50us',
    experiment: { kind: 'fault', rangeBytes: 4 * KIB, hugePages: false, measure: 'answer' },
  },
  'gtx1080-naive': {
    what: 'bandwidth of a kernel that faults its vectors in, 31,774 faults',
    published: 8.2,
    unit: 'GB/s',
    source: 'published measurement of a unified-memory tutorial on a GTX 1080',
    experiment: null,
  },
  'gtx1080-prefetched': {
    what: 'bandwidth of the same kernel once all is in VRAM',
    published: 242,
    unit: 'GB/s',
    source: 'published measurement of a unified-memory tutorial on a GTX 1080',
    experiment: null,
  },
  'thp-migration-throughput': {
    what: 'migration throughput with large folios over that with small ones',
    published: 450,
    unit: '%',
    source: 'cover letter of the series for device migration of large folios, version 3',
    experiment: { kind: 'folio-gain', bytes: 16 * MIB, rangeBytes: 2 * MIB },
  },
  'mi300x-link': {
    what: 'device to device over one xGMI link of seven',
    published: 50,
    unit: 'GB/s',
    source:
      'published description of a node of eight MI300X: a link of 50GB/s for each pair; its peak, not a measurement',
    experiment: copies('first', LARGE, [0, 1]),
  },
} as const satisfies Record<string, Figure>;

export type FigureName = keyof typeof figures;

export const figureNames: readonly FigureName[] = Object.keys(figures).filter(isFigure);

function isFigure(name: string): name is FigureName {
  return Object.hasOwn(figures, name);
}

export function figureOf(name: FigureName): Figure {
  return figures[name];
}
