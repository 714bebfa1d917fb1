/** Shows a running simulation on a screen and does what keys say, until the run ends. */

import { vpn } from '../base/units.js';
import { type TopState, topLines } from '../report/topView.js';
import type { LiveRun, LiveSnapshot } from '../simulation/liveRun.js';
import type { Screen } from './cliHost.js';
import { type TopAction, TopKeyboard } from './topKeyboard.js';

const LOOK_EVERY_MS = 500;

export class TopScreen {
  private readonly keyboard = new TopKeyboard();
  private live: LiveRun | null = null;
  private now: LiveSnapshot | null = null;
  private before: LiveSnapshot | null = null;
  private message = '';
  private page: readonly string[] = [];
  private help = false;
  private timer: NodeJS.Timeout | null = null;
  private looking = false;
  private releaseKeys: () => void = () => {};

  constructor(
    private readonly screen: Screen,
    private readonly title: string,
    private readonly quit: () => void,
  ) {}

  /** To be called when the run begins. */
  attach(live: LiveRun): void {
    this.live = live;
    this.screen.open();
    this.releaseKeys = this.screen.onKey((key) => void this.act(this.keyboard.press(key)));
    this.timer = setInterval(() => void this.look(), LOOK_EVERY_MS);
    void this.look();
  }

  /** Gives the terminal back as it was. */
  close(): void {
    if (this.timer !== null) clearInterval(this.timer);
    this.timer = null;
    this.live = null;
    this.releaseKeys();
    this.screen.close();
  }

  /** One after the other: a busy actor may take its time to answer. */
  private async look(): Promise<void> {
    if (this.live === null || this.looking) return;
    this.looking = true;
    try {
      const seen = await this.live.snapshot();
      this.before = this.now;
      this.now = seen;
    } catch {
      // The run is ending, and says so itself.
    }
    this.looking = false;
    this.draw();
  }

  private async act(action: TopAction): Promise<void> {
    const { live } = this;
    if (live === null) return;
    this.message = '';
    switch (action.kind) {
      case 'quit':
        return this.quit();
      case 'pause':
        live.pause();
        this.message = 'pausing; s steps, i inspects a page, c continues';
        break;
      case 'continue':
        live.resume();
        this.page = [];
        break;
      case 'step':
        this.message = live.isHeld ? 'one operation of each task' : 'not paused: p pauses';
        await live.step();
        break;
      case 'help':
        this.help = !this.help;
        break;
      case 'inspect':
        this.page = await live.inspect(vpn(action.page), action.process);
        if (this.page.length === 0) this.message = 'not paused: p pauses';
        break;
      case 'wrong':
        this.message = action.message;
        break;
      case 'type':
      case 'none':
        break;
    }
    if (action.kind === 'step') await this.look();
    this.draw();
  }

  private draw(): void {
    if (this.now === null || this.live === null) return;
    const { title, page, message, help } = this;
    const state: TopState = { title, page, message, help, prompt: this.keyboard.prompt };
    this.screen.draw(topLines(this.now, this.before, state, this.screen.size));
  }
}
