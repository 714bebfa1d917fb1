/** Lines of an actor on which spans that overlap in time are drawn: as few as it takes, the lowest free one first. */

export class Lanes {
  private readonly taken: boolean[][];

  constructor(actors: number) {
    this.taken = Array.from({ length: actors }, () => []);
  }

  take(actor: number): number {
    const lanes = this.taken[actor];
    const free = lanes.indexOf(false);
    const lane = free < 0 ? lanes.length : free;
    lanes[lane] = true;
    return lane;
  }

  give(actor: number, lane: number): void {
    this.taken[actor][lane] = false;
  }
}
