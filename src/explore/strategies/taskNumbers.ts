/** A number for each task of one run, kept by the task's number. */

const FIRST_SIZE = 256;

export class TaskNumbers {
  private values = new Float64Array(FIRST_SIZE).fill(Number.NaN);

  /** NaN for a task that has none yet. */
  get(id: number): number {
    return id < this.values.length ? this.values[id] : Number.NaN;
  }

  set(id: number, value: number): void {
    if (id >= this.values.length) this.grow(id);
    this.values[id] = value;
  }

  clear(): void {
    this.values.fill(Number.NaN);
  }

  private grow(id: number): void {
    const larger = new Float64Array(2 * Math.max(id, this.values.length)).fill(Number.NaN);
    larger.set(this.values);
    this.values = larger;
  }
}
