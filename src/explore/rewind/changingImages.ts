/** Of many things that are remembered those that have been seen to change: only these need to be put back after each run. */

/** One thing as it was. */
export interface Image {
  readonly isSame: () => boolean;
  restore(): void;
}

export class ChangingImages<I extends Image> {
  private readonly steady: Set<I>;
  private readonly changing: I[] = [];

  constructor(images: readonly I[]) {
    this.steady = new Set(images);
  }

  /** Looks at everything; whether something was found changed that {@link restore} would not have put back. */
  learn(): boolean {
    const before = this.changing.length;
    for (const image of this.steady) {
      if (image.isSame()) continue;
      this.steady.delete(image);
      this.changing.push(image);
    }
    return this.changing.length > before;
  }

  /** All that has been seen to change. */
  restore(): void {
    for (const image of this.changing) image.restore();
  }
}
