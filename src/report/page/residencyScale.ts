/** Rows of the picture of residency: stretches of addresses one below the other, small ones higher than they are, so that they can be seen. */

import type { ResidencyBand } from '../html/reportData.js';

/** The least share of the picture that a stretch gets when all is shown. */
const LEAST = 0.012;

interface Place {
  readonly first: number;
  readonly rows: number;
}

export class ResidencyScale {
  readonly rows: number;
  private readonly places: readonly Place[];

  constructor(private readonly bands: readonly ResidencyBand[]) {
    const pages = bands.reduce((sum, { npages }) => sum + npages, 0);
    const least = Math.max(1, Math.min(LEAST, 0.5 / bands.length) * pages);
    let first = 0;
    this.places = bands.map(({ npages }) => {
      const place = { first, rows: Math.max(npages, least) };
      first += place.rows;
      return place;
    });
    this.rows = first;
  }

  rowOf(band: number, page: number): number {
    const { first, rows } = this.places[band];
    return first + (page / this.bands[band].npages) * rows;
  }

  /** The page at a row. */
  at(row: number): { readonly band: number; readonly page: number } {
    const found = this.places.findLastIndex(({ first }) => first <= row);
    const band = Math.max(0, found);
    const { first, rows } = this.places[band];
    const page = Math.floor(((row - first) / rows) * this.bands[band].npages);
    return { band, page: Math.min(this.bands[band].npages - 1, Math.max(0, page)) };
  }
}
