/** Answers those who ask a run what it is doing: SIGUSR1. */

import type { ClockName } from '../report/clock.js';
import { snapshotText } from '../report/snapshotText.js';
import type { LiveRun } from '../simulation/liveRun.js';

export class Question {
  private live: LiveRun | null = null;

  constructor(
    private readonly tell: (text: string) => void,
    private readonly clock: ClockName,
  ) {}

  attach(live: LiveRun): void {
    this.live = live;
  }

  async ask(): Promise<void> {
    if (this.live === null) this.tell('svmsim: the run has not begun');
    else this.tell(snapshotText(await this.live.snapshot(), this.clock));
  }
}
