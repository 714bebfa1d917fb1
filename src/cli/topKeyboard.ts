/** What keys mean to `svmsim top`: from what was typed so far and one key, to what is to be done. No terminal is needed. */

/** `type`: the line being typed has changed. */
export type TopAction =
  | { readonly kind: 'quit' | 'pause' | 'continue' | 'step' | 'help' | 'type' | 'none' }
  | { readonly kind: 'inspect'; readonly page: number; readonly process: number }
  | { readonly kind: 'wrong'; readonly message: string };

const PAGE_BYTES = 4096;
const ADDRESS_END = 2 ** 47;
const ADDRESS = /^(?:0x)?([0-9a-f]+)(?:@([0-9]+))?$/i;

const plain: Readonly<Record<string, TopAction['kind'] & ('quit' | 'pause' | 'continue' | 'step' | 'help')>> =
  {
    q: 'quit',
    '\u0003': 'quit',
    p: 'pause',
    ' ': 'pause',
    c: 'continue',
    s: 'step',
    h: 'help',
    '?': 'help',
  };

export class TopKeyboard {
  /** The address being typed; null while none is. */
  typed: string | null = null;

  /** `key` is what the terminal sent for it. */
  press(key: string): TopAction {
    if (this.typed !== null) return this.typeOn(key, this.typed);
    if (key === 'i') {
      this.typed = '';
      return { kind: 'type' };
    }
    return { kind: plain[key] ?? 'none' };
  }

  /** What is asked for, with what was typed so far. */
  get prompt(): string | null {
    return this.typed === null
      ? null
      : `address of a page (0x7f0000001000, of process 2: 0x7f0000001000@2): ${this.typed}`;
  }

  private typeOn(key: string, typed: string): TopAction {
    if (key === '\r' || key === '\n') return this.finish(typed);
    if (key === '\u001b' || key === '\u0003') {
      this.typed = null;
      return { kind: 'type' };
    }
    if (key === '\u007f' || key === '\b') this.typed = typed.slice(0, -1);
    else if (/^[\x20-\x7e]+$/.test(key)) this.typed = typed + key;
    return { kind: 'type' };
  }

  private finish(typed: string): TopAction {
    this.typed = null;
    const match = ADDRESS.exec(typed.trim());
    const address = match === null ? ADDRESS_END : Number.parseInt(match[1], 16);
    if (address >= ADDRESS_END)
      return { kind: 'wrong', message: `found ${typed}, allowed: an address such as 0x7f0000001000` };
    return { kind: 'inspect', page: Math.floor(address / PAGE_BYTES), process: Number(match?.[2] ?? 1) };
  }
}
