/** Packs changes of residency for the page: addresses as stretches in which something happened, and no more changes than a browser draws at once. */

import type { ResidencyBand, ResidencyData } from './reportData.js';

export interface ResidencyChange {
  readonly timeNs: number;
  readonly process: number;
  readonly start: number;
  end: number;
  readonly owner: number;
}

/** Stretches nearer than this are drawn as one. */
const GAP_PAGES = 64;
/** More changes than this are told at a coarser grain of time. */
const CHANGES_MAX = 40_000;
const GRAINS = [4000, 1000, 250] as const;
const PAGES_MAX = 1 << 22;

interface Band extends ResidencyBand {
  /** First of its pages, counted over all bands. */
  readonly first: number;
}

export function packChanges(owners: readonly string[], changes: readonly ResidencyChange[]): ResidencyData {
  const all = bandsOf(changes);
  const bands = all.filter(({ first, npages }) => first + npages <= PAGES_MAX);
  const pagesLeftOut = all.slice(bands.length).reduce((sum, { npages }) => sum + npages, 0);
  const placed = changes.flatMap((change) => place(bands, change));
  const packed = placed.length <= CHANGES_MAX ? { changes: placed, grainNs: 0 } : coarser(bands, placed);
  return {
    owners,
    bands: bands.map(({ process, start, npages }) => ({ process, start, npages })),
    changes: packed.changes.flatMap(({ timeNs, band, at, npages, owner }) => [
      Math.round(timeNs),
      band,
      at,
      npages,
      owner,
    ]),
    grainNs: packed.grainNs,
    pagesLeftOut,
  };
}

interface PlacedChange {
  readonly timeNs: number;
  readonly band: number;
  /** First page within the band. */
  readonly at: number;
  readonly npages: number;
  readonly owner: number;
}

/** By process, then by address. */
function bandsOf(changes: readonly ResidencyChange[]): Band[] {
  const spans = changes
    .map(({ process, start, end }) => ({ process, start, end }))
    .sort((a, b) => a.process - b.process || a.start - b.start);
  const merged: { process: number; start: number; end: number }[] = [];
  for (const span of spans) {
    const last = merged.at(-1);
    if (last !== undefined && last.process === span.process && span.start <= last.end + GAP_PAGES)
      last.end = Math.max(last.end, span.end);
    else merged.push({ ...span });
  }
  let first = 0;
  return merged.map(({ process, start, end }) => {
    const band = { process, start, npages: end - start, first };
    first += band.npages;
    return band;
  });
}

/** A change lies within one band, since bands are made of changes. */
function place(
  bands: readonly Band[],
  { timeNs, process, start, end, owner }: ResidencyChange,
): PlacedChange[] {
  let low = 0;
  let high = bands.length;
  while (low < high) {
    const mid = (low + high) >>> 1;
    const band = bands[mid];
    if (band.process < process || (band.process === process && band.start + band.npages <= start))
      low = mid + 1;
    else high = mid;
  }
  const band = bands[low];
  if (band === undefined || band.process !== process) return [];
  return [{ timeNs, band: low, at: start - band.start, npages: end - start, owner }];
}

function coarser(
  bands: readonly Band[],
  changes: readonly PlacedChange[],
): { readonly changes: readonly PlacedChange[]; readonly grainNs: number } {
  const lastNs = changes[changes.length - 1].timeNs;
  let packed: { changes: PlacedChange[]; grainNs: number } = { changes: [], grainNs: 0 };
  for (const grains of GRAINS) {
    const grainNs = Math.max(1, Math.ceil(lastNs / grains));
    packed = { changes: atGrain(bands, changes, grainNs), grainNs };
    if (packed.changes.length <= CHANGES_MAX) break;
  }
  return packed;
}

/** Of all that happened to a page within one grain of time the last counts, and that only if it is no longer what it was. */
function atGrain(bands: readonly Band[], changes: readonly PlacedChange[], grainNs: number): PlacedChange[] {
  const last = bands[bands.length - 1];
  const told = new Uint8Array(last.first + last.npages);
  const now = new Uint8Array(told.length);
  const packed: PlacedChange[] = [];
  let dirty: PlacedChange[] = [];
  const tell = (grain: number): void => {
    for (const { band, at, npages } of dirty) tellRuns(band, at, npages, (grain + 1) * grainNs);
    dirty = [];
  };
  const tellRuns = (band: number, at: number, npages: number, timeNs: number): void => {
    const { first } = bands[band];
    const end = first + at + npages;
    for (let page = first + at; page < end; ) {
      const owner = now[page];
      let next = page + 1;
      if (owner !== told[page]) {
        while (next < end && now[next] === owner && told[next] !== owner) next++;
        packed.push({ timeNs, band, at: page - first, npages: next - page, owner });
        told.fill(owner, page, next);
      }
      page = next;
    }
  };
  let grain = 0;
  for (const change of changes) {
    const own = Math.floor(change.timeNs / grainNs);
    if (own !== grain) tell(grain);
    grain = own;
    const from = bands[change.band].first + change.at;
    now.fill(change.owner, from, from + change.npages);
    dirty.push(change);
  }
  tell(grain);
  return packed;
}
