/** Where in a user's code an error was thrown. */

import { describe, expect, it } from 'vitest';
import { assert } from '../../src/base/assert.js';
import { userPlace } from '../../src/base/userPlace.js';

function thrownBy(run: () => void): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  return null;
}

function withStack(...frames: readonly string[]): Error {
  const error = new Error('x');
  error.stack = ['Error: x', ...frames.map((frame) => `    at ${frame}`)].join('\n');
  return error;
}

describe('userPlace', () => {
  it('is the first frame that is none of svmsim itself', () => {
    const error = thrownBy(() => assert(false, 'no'));
    expect(userPlace(error)).toMatch(/^userPlace\.test\.ts:\d+$/);
  });

  it('reads the frames of functions, of modules and of what Node runs', () => {
    const frames = ['node:internal/x:1:2', 'Array.map (<anonymous>)', 'file:///a/b/node_modules/c/d.js:1:2'];
    expect(userPlace(withStack(...frames, 'Object.place (file:///home/u/my%20p.mjs:7:3)'))).toBe(
      'my p.mjs:7',
    );
    expect(userPlace(withStack(...frames, 'file:///home/u/p.mjs:8:3'))).toBe('p.mjs:8');
    expect(userPlace(withStack('place (/home/u/p.mjs:9:3)'))).toBe('p.mjs:9');
  });

  it('is null where nothing is told', () => {
    expect(userPlace(withStack('node:internal/x:1:2'))).toBeNull();
    expect(userPlace('text')).toBeNull();
  });
});
