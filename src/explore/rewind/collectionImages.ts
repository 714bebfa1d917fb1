/** Remembers what an array, a map or a set holds, and puts it back. */

import type { Image } from './changingImages.js';

export class ArrayImage implements Image {
  private readonly kept: readonly unknown[];

  constructor(private readonly array: unknown[]) {
    this.kept = [...array];
  }

  readonly isSame = (): boolean => {
    const { array, kept } = this;
    return array.length === kept.length && kept.every((element, i) => Object.is(array[i], element));
  };

  restore(): void {
    const { array, kept } = this;
    array.length = kept.length;
    for (let i = 0; i < kept.length; i++) array[i] = kept[i];
  }
}

/** The order counts too: whoever goes through it finds first what was put in first. */
export class MapImage implements Image {
  private readonly kept: readonly (readonly [unknown, unknown])[];

  constructor(private readonly map: Map<unknown, unknown>) {
    this.kept = [...map];
  }

  readonly isSame = (): boolean => {
    const { map, kept } = this;
    const now = [...map];
    return (
      now.length === kept.length &&
      kept.every(([key, value], i) => Object.is(now[i][0], key) && Object.is(now[i][1], value))
    );
  };

  restore(): void {
    const { map, kept } = this;
    if (map.size > 0) map.clear();
    for (const [key, value] of kept) map.set(key, value);
  }
}

export class SetImage implements Image {
  private readonly kept: readonly unknown[];

  constructor(private readonly set: Set<unknown>) {
    this.kept = [...set];
  }

  readonly isSame = (): boolean => {
    const now = [...this.set];
    return now.length === this.kept.length && this.kept.every((element, i) => Object.is(now[i], element));
  };

  restore(): void {
    const { set, kept } = this;
    if (set.size > 0) set.clear();
    for (const element of kept) set.add(element);
  }
}
