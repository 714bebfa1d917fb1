/** Notices actors that do not get on for longer than anything that goes well takes. */

/** Waits that may last: for time, for a program's own parts, and for kernels, whose device gets on by itself. */
const PATIENT = / waits for (time|the end of |pause of |the checkpoint |a reply of .* to [a-z]+\.launch)/;

/** Whatever the clock that its times are of, and so its limit: nanoseconds, or steps. */
export class LostProgress {
  /** As of the last time that it grew. */
  private readonly done: number[];
  private readonly since: number[];

  constructor(
    actors: number,
    private readonly limit: number,
  ) {
    this.done = new Array<number>(actors).fill(-1);
    this.since = new Array<number>(actors).fill(0);
  }

  /** The actors that have got nothing done for too long, by index; they count from now on as if they had. `done`: by actor, a number that grows with what it does. */
  look(now: number, done: readonly number[]): number[] {
    const lost: number[] = [];
    done.forEach((count, actor) => {
      // Of an actor in another thread parts of it may be read a little later than others, and it looks smaller than it is.
      const hasGrown = count > this.done[actor];
      if (!hasGrown && now - this.since[actor] < this.limit) return;
      if (!hasGrown) lost.push(actor);
      this.done[actor] = Math.max(count, this.done[actor]);
      this.since[actor] = now;
    });
    return lost;
  }

  /** Everybody was held, so nobody can have got on. */
  forgive(now: number): void {
    this.since.fill(now);
  }
}

/** Some of the waits end by themselves. */
export function isAsleep(waits: readonly string[]): boolean {
  return waits.some((line) => line.includes(' waits for time'));
}

/** The first of an actor's waits that should not last, in words; null where it has none. */
export function impatientWait(waits: readonly string[]): string | null {
  return waits.find((line) => !PATIENT.test(line)) ?? null;
}
