/** Which process each line of a trace belongs to, also where strace leaves the process out. */

/** Stands for the first process until, or unless, the trace names it. No traced process has this id. */
export const UNNAMED_PID = 0;

/**
 * strace writing to a terminal names processes only while there is more than one: the first lines of a trace name nobody, and neither do
 * lines after all others have ended. The first process gets its name when an id appears that is nobody's child.
 */
export class TracedPids {
  private readonly seen = new Set<number>();
  private readonly live = new Set<number>();
  /** Ids that a clone returned or strace announced: never the first process. */
  private readonly children = new Set<number>();
  private firstPid: number | null = null;

  /** The process of a line that names none: the only one alive, or else the first. */
  ofUnnamed(): number {
    let pid = this.firstPid ?? UNNAMED_PID;
    if (this.live.size === 1) for (const only of this.live) pid = only;
    this.note(pid);
    return pid;
  }

  /**
   * Notes a line that names `pid`. True when this reveals the id of the first process, so that what was UNNAMED_PID is `pid` from here on.
   * `isNewborn`: the unnamed process is inside a clone that has not returned, so a fresh line is its child's.
   */
  name(pid: number, isNewborn: boolean): boolean {
    if (this.seen.size === 0) this.firstPid = pid;
    const reveals =
      this.seen.has(UNNAMED_PID) && this.firstPid === null && !this.seen.has(pid) && !this.children.has(pid);
    if (reveals && isNewborn) this.children.add(pid);
    const revealed = reveals && !isNewborn;
    if (revealed) {
      this.firstPid = pid;
      this.live.delete(UNNAMED_PID);
    }
    this.note(pid);
    return revealed;
  }

  /** A clone returned `pid`, or strace announced it. A child may have spoken, and even ended, before its parent's clone returns. */
  born(pid: number): void {
    this.children.add(pid);
    if (!this.seen.has(pid)) this.live.add(pid);
  }

  died(pid: number): void {
    this.live.delete(pid);
  }

  /** The id of `pid` as far as the whole trace tells. */
  resolved(pid: number): number {
    return pid === UNNAMED_PID ? (this.firstPid ?? UNNAMED_PID) : pid;
  }

  /** Every process that was noted, in the order of its first line. */
  all(): readonly number[] {
    return [...new Set([...this.seen].map((pid) => this.resolved(pid)))];
  }

  private note(pid: number): void {
    this.seen.add(pid);
    this.live.add(pid);
  }
}
