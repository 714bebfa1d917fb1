/** How one method of one object is replaced. */

import { describe, expect, it } from 'vitest';
import { UserError } from '../../src/base/userError.js';
import { replaceMethod } from '../../src/bugs/replaceMethod.js';

class Counter {
  count = 0;
  add(n: number): number {
    this.count += n;
    return this.count;
  }
  addTwice(n: number): number {
    this.add(n);
    return this.add(n);
  }
}

class Misspelt {
  [name: string]: unknown;
  addTwice(): void {}
}

describe('replaceMethod', () => {
  it('replaces the method of one object, also where the object calls it itself', () => {
    const bent = new Counter();
    replaceMethod(bent, 'add', (right) => (n) => right(n + 1));
    expect(bent.addTwice(1)).toBe(4);
    expect(new Counter().addTwice(1)).toBe(2);
  });

  it('can be done to a method that was replaced before', () => {
    const bent = new Counter();
    replaceMethod(bent, 'add', (right) => (n) => right(n + 1));
    replaceMethod(bent, 'add', (right) => (n) => right(10 * n));
    expect(bent.add(1)).toBe(11);
  });

  it('refuses what is no method, as bad input', () => {
    const refused = (): void => replaceMethod(new Counter(), 'count', (right) => right);
    expect(refused).toThrow(UserError);
    expect(refused).toThrow(
      "bug overlay: key 'count': found a number, allowed: a method of Counter: add, addTwice",
    );
  });

  it('says what a misspelt name was meant to be', () => {
    const bent: Record<string, unknown> & object = new Misspelt();
    expect(() => replaceMethod(bent, 'addTwise', (right) => right)).toThrow(
      "key 'addTwise': found an unknown method, allowed: a method of Misspelt: addTwice (did you mean 'addTwice'?)",
    );
  });
});
