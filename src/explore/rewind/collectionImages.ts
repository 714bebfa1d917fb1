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
    // One by one: the engine takes the memory of an array whose length is set to less, and the next run would ask for it again.
    while (array.length > kept.length) array.pop();
    if (array.length < kept.length) array.length = kept.length;
    for (let i = 0; i < kept.length; i++) if (!Object.is(array[i], kept[i])) array[i] = kept[i];
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
    if (map.size !== kept.length) return false;
    let at = 0;
    for (const [key, value] of map) {
      const [keptKey, keptValue] = kept[at++];
      if (!Object.is(key, keptKey) || !Object.is(value, keptValue)) return false;
    }
    return true;
  };

  /** What is as it was is left alone: emptying makes a new table each time. */
  restore(): void {
    if (this.isSame()) return;
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
    const { set, kept } = this;
    if (set.size !== kept.length) return false;
    let at = 0;
    for (const element of set) if (!Object.is(element, kept[at++])) return false;
    return true;
  };

  /** As for maps. */
  restore(): void {
    if (this.isSame()) return;
    const { set, kept } = this;
    if (set.size > 0) set.clear();
    for (const element of kept) set.add(element);
  }
}
