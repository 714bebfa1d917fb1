/** Notices actors that do not get on for longer than anything that goes well takes. */

/** Waits that may last: for time, for a program's own parts, and for kernels, whose device gets on by itself. */
const PATIENT = / waits for (time|the end of |pause of |the checkpoint |a reply of .* to [a-z]+\.launch)/;

export class LostProgress {
  /** As of the last time that it grew. */
  private readonly done: number[];
  private readonly sinceNs: number[];

  constructor(
    actors: number,
    private readonly limitNs: number,
  ) {
    this.done = new Array<number>(actors).fill(-1);
    this.sinceNs = new Array<number>(actors).fill(0);
  }

  /** The actors that have got nothing done for too long, by index; they count from now on as if they had. `done`: by actor, a number that grows with what it does. */
  look(nowNs: number, done: readonly number[]): number[] {
    const lost: number[] = [];
    done.forEach((count, actor) => {
      if (count === this.done[actor] && nowNs - this.sinceNs[actor] < this.limitNs) return;
      if (count === this.done[actor]) lost.push(actor);
      this.done[actor] = count;
      this.sinceNs[actor] = nowNs;
    });
    return lost;
  }

  /** Everybody was held, so nobody can have got on. */
  forgive(nowNs: number): void {
    this.sinceNs.fill(nowNs);
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
