/** Knows of promises whether they have settled, with one reaction for each: reactions live as long as their promise, and a look is taken many times. */

/** Changes once. */
export interface Settled {
  readonly isSettled: boolean;
}

export class Settling {
  private readonly flags = new WeakMap<Promise<unknown>, { isSettled: boolean }>();

  /** `onSettled` hears of each promise that settles, also of one whose result nobody waits for any more. */
  constructor(private readonly onSettled: () => void = () => {}) {}

  /** A promise that has settled already is known to have done so after the next turn of microtasks. */
  of(promise: Promise<unknown>): Settled {
    const known = this.flags.get(promise);
    if (known !== undefined) return known;
    const flag = { isSettled: false };
    this.flags.set(promise, flag);
    const settle = (): void => {
      flag.isSettled = true;
      this.onSettled();
    };
    promise.then(settle, settle);
    return flag;
  }
}
